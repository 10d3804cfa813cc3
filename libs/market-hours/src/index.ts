export { marketHours } from './marketHours.ts';
export { nyseStateAt } from './nyseStateAt.ts';
export { marketHoursVariables } from './variables.ts';
