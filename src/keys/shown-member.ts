/** @param known names that say nothing of what a document holds */
export function shownMember(name: string, known: readonly string[]): string {
  const isKnown = known.some((each) => each.toLowerCase() === name.toLowerCase());
  // Too short to be a key that somebody pasted in the place of a name, or a piece of one.
  return isKnown || /^([a-z]{1,12}|[\w#]{1,8})$/i.test(name) ? name : '(a name that is not shown)';
}
