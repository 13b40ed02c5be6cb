interface Map {
  readonly version: number;
  readonly sources: readonly string[];
  readonly names: readonly string[];
  readonly mappings: string;
}

export function ownSources(map: Map, isOwn: (source: string) => boolean): Map;
