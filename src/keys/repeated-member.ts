/**
 * The name of a member that an object has twice, in JSON that has been parsed: of two, `JSON.parse` takes the last, and
 * whoever reads the document sees the first. It may be a key, pasted in the wrong place.
 */
export function repeatedMember(json: string): string | undefined {
  const objects: (Set<string> | undefined)[] = [];
  // Strings are the only places where brackets and colons may stand for themselves.
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/gs)) {
    if (token === '{') objects.push(new Set());
    else if (token === '[') objects.push(undefined);
    else if (token === '}' || token === ']') objects.pop();
    else if (token.endsWith(':')) {
      const name = JSON.parse(token.slice(0, -1)) as string;
      if (objects.at(-1)?.has(name) === true) return name;
      objects.at(-1)?.add(name);
    }
  }
  return undefined;
}
