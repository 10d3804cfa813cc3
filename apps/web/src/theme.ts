import { effect, signal } from '@preact/signals';
import { chosenBefore, rememberChoice } from './kept.ts';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'stockbroker.theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const isSystemDark = signal(systemDark.matches);
systemDark.addEventListener('change', () => {
  isSystemDark.value = systemDark.matches;
});

const stored = chosenBefore(KEY);
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');

export function isDark(): boolean {
  return theme.value === 'system' ? isSystemDark.value : theme.value === 'dark';
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  rememberChoice(KEY, chosen);
}

effect(() => {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
});
