/** Who gets which partition: evenly, and as far as that goes each keeps what it has. */

/**
 * @param owned what each member holds now, by member id
 * @returns partitions of each member; numbers differ by one at most
 */
export function stickyAssignment(
  owned: ReadonlyMap<string, readonly number[]>,
  partitions: number,
): ReadonlyMap<string, readonly number[]> {
  const members = [...owned.keys()].sort((a, b) => owned.get(b)!.length - owned.get(a)!.length || (a < b ? -1 : 1));
  const least = Math.floor(partitions / members.length);
  const extra = partitions % members.length;
  const given = new Map<string, number[]>(members.map((member) => [member, []]));
  const taken = new Set<number>();
  for (const [i, member] of members.entries()) {
    const quota = least + (i < extra ? 1 : 0);
    for (const partition of owned.get(member)!) {
      if (given.get(member)!.length >= quota || taken.has(partition) || partition >= partitions) continue;
      given.get(member)!.push(partition);
      taken.add(partition);
    }
  }
  const free = Array.from({ length: partitions }, (_, p) => p).filter((p) => !taken.has(p));
  for (const [i, member] of members.entries()) {
    const quota = least + (i < extra ? 1 : 0);
    given.get(member)!.push(...free.splice(0, quota - given.get(member)!.length));
    given.get(member)!.sort((a, b) => a - b);
  }
  return given;
}
