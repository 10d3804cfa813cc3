import { useComputed, useSignal } from '@preact/signals';
import type { Instrument } from '@stockbroker/client';
import { useEffect, useRef } from 'preact/hooks';
import { useDesk } from './context.ts';

const MOST = 8;

/** Search by ticker or name: the combobox of the ARIA practices. */
export function Search({ onChosen }: { onChosen: () => void }) {
  const desk = useDesk();
  const input = useRef<HTMLInputElement>(null);
  const text = useSignal('');
  const isOpen = useSignal(false);
  const active = useSignal(0);
  const found = useComputed(() => matching(desk.instruments.value ?? [], text.value));
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', focus);
    return () => document.removeEventListener('keydown', focus);
  }, []);
  const choose = (instrument: Instrument | undefined) => {
    if (instrument === undefined) return;
    desk.choose(instrument.stockTicker);
    text.value = '';
    isOpen.value = false;
    onChosen();
  };
  const isShown = isOpen.value && desk.instruments.value !== undefined;
  const onKey = (event: KeyboardEvent) => {
    const last = found.value.length - 1;
    if (event.key === 'ArrowDown') active.value = isOpen.value ? Math.min(last, active.value + 1) : 0;
    else if (event.key === 'ArrowUp') active.value = Math.max(0, active.value - 1);
    else if (event.key === 'Enter') {
      if (!isShown) return; // Nothing is seen to be chosen.
      choose(found.value[active.value]);
    } else if (event.key === 'Escape') {
      text.value = '';
      isOpen.value = false;
      return;
    } else return;
    isOpen.value = event.key !== 'Enter';
    event.preventDefault();
  };
  return (
    <div class="search">
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Search stocks by ticker or name"
        aria-expanded={isShown}
        aria-controls="search-results"
        aria-autocomplete="list"
        {...(isShown && found.value.length > 0 ? { 'aria-activedescendant': `result-${active.value}` } : {})}
        placeholder={desk.instruments.value === undefined ? 'Loading stocks…' : 'Search stocks'}
        autocomplete="off"
        autocapitalize="characters"
        spellcheck={false}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          active.value = 0;
          isOpen.value = true;
        }}
        onFocus={() => {
          isOpen.value = true;
        }}
        onBlur={() => {
          isOpen.value = false;
        }}
        onKeyDown={onKey}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
      <div id="search-results" role="listbox" aria-label="Stocks" hidden={!isShown || found.value.length === 0}>
        {found.value.map((instrument, i) => (
          <div
            key={instrument.stockTicker}
            id={`result-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === active.value}
            onMouseDown={(event) => {
              event.preventDefault(); // The field keeps the focus until something is chosen.
              choose(instrument);
            }}
          >
            <span class="ticker">{instrument.stockTicker}</span>
            <span class="name">{instrument.name}</span>
          </div>
        ))}
      </div>
      {isShown && found.value.length === 0 && (
        <p class="no-results" role="status">
          No stock matches “{text.value}”.
        </p>
      )}
    </div>
  );
}

/** Tickers that begin so come first, then names that do, then names with a word that does. */
function matching(instruments: readonly Instrument[], text: string): Instrument[] {
  const wanted = text.trim().toUpperCase();
  const byTicker = instruments.filter(({ stockTicker }) => stockTicker.startsWith(wanted));
  const byName = instruments.filter(({ name }) => name.toUpperCase().startsWith(wanted));
  const byWord = instruments.filter(({ name }) => name.toUpperCase().includes(` ${wanted}`));
  return [...new Set([...byTicker, ...byName, ...byWord])].slice(0, MOST);
}
