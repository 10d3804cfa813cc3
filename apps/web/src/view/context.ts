import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Desk } from '../state/desk.ts';

export const DeskContext = createContext<Desk | undefined>(undefined);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (desk === undefined) throw new Error('there is no desk');
  return desk;
}
