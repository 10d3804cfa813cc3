/**
 * What of an address stands for one client: all of an IPv4 address, and the first half of an IPv6 address, because a client has
 * the other half to choose from.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [left = '', right] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = groupsOf(left);
  if (right !== undefined) {
    const behind = groupsOf(right);
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - behind.length)).fill('0'), ...behind);
  }
  return `${groups.slice(0, 4).map(shortened).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function shortened(group: string): string {
  return group.replace(/^0+(?=.)/, '').toLowerCase();
}
