/** Offsets of each field by its name: `version`, `context`, `wrapped key 1 bytes`, `frame 2 iv`, `final tag`, ... */
export function layout(message: Uint8Array): Record<string, { begin: number; end: number }>;
