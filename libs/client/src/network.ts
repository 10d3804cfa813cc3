/** Whether this machine has a network at all, as far as it knows. */
export interface Network {
  isOnline(): boolean;
  /** @returns what ends that */
  onChange(listener: () => void): () => void;
}

/** The browser's knowledge. Node has none: there it is always online. */
export function thisNetwork(): Network {
  const { navigator, addEventListener, removeEventListener } = globalThis as unknown as {
    navigator?: { onLine?: boolean };
    addEventListener?: (type: string, listener: () => void) => void;
    removeEventListener?: (type: string, listener: () => void) => void;
  };
  return {
    isOnline: () => navigator?.onLine !== false,
    onChange: (listener) => {
      for (const type of ['online', 'offline']) addEventListener?.(type, listener);
      return () => {
        for (const type of ['online', 'offline']) removeEventListener?.(type, listener);
      };
    },
  };
}
