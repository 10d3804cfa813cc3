/*
 * Loaded before an app: its wall clock is off by CLOCK_OFFSET_MS. The monotonic clock is not, as on a machine whose time was set wrong.
 */
const offsetMs = Number(process.env.CLOCK_OFFSET_MS);
const RightDate = Date;

class WrongDate extends RightDate {
  constructor(...parts) {
    if (parts.length === 0) super(RightDate.now() + offsetMs);
    else super(...parts);
  }

  static now() {
    return RightDate.now() + offsetMs;
  }
}

globalThis.Date = WrongDate;
