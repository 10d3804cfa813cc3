/** Why a sleep ends before its time. Given, because the standard reason is an error with a stack, made anew each time. */
export const WOKEN = 'woken';
