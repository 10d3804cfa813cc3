/** Something that is made when it is first asked for, and ended only if it was made. */
export class Lazy<T> {
  readonly #make: () => Promise<T>;
  #made: Promise<T> | undefined;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  get(): Promise<T> {
    this.#made ??= this.#make();
    return this.#made;
  }

  async end(end: (made: T) => Promise<void>): Promise<void> {
    const made = await this.#made?.catch(() => undefined);
    if (made !== undefined) await end(made);
  }
}
