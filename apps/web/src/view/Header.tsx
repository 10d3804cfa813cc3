import { chooseTheme, type Theme, theme } from '../theme.ts';
import { ConnectionPill } from './Connection.tsx';
import { useDesk } from './context.ts';
import { Search } from './Search.tsx';

const THEMES: [Theme, string][] = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

export function Header({ onChosen, onSignOut }: { onChosen: () => void; onSignOut: () => void }) {
  const { session } = useDesk();
  return (
    <header class="top">
      <div class="brand">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <h1>Stockbroker</h1>
      </div>
      <Search onChosen={onChosen} />
      <ConnectionPill />
      <label class="theme">
        <span class="hidden">Theme</span>
        <select value={theme.value} onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}>
          {THEMES.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <div class="user">
        <span class="user-name">{session.name}</span>
        <button type="button" class="quiet" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}
