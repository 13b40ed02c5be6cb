/** The state machine of a backfill: a Distributed Map over the bucket's listing, or an inventory. */
import { distributedMap, type MapProps } from './distributed-map.js';

export interface DefinitionProps extends MapProps {
  /** Whether runs may read an inventory. */
  readonly inventory: boolean;
}

/** Of an item, its key and bucket alone: listings and inventories also hold ETags, which are digests of plaintext. */
const item = (bucket: string, encoded: boolean): object => ({
  'bucket.$': bucket,
  'key.$': '$$.Map.Item.Value.Key',
  'prefix.$': '$.prefix',
  'suffix.$': '$.suffix',
  'dryRun.$': '$.dryRun',
  encoded,
});

/** Runs take `{bucket, prefix, suffix, dryRun}`, and `manifest: {bucket, key}` to read an inventory instead. */
export function backfillDefinition(props: DefinitionProps): object {
  const listing = distributedMap(
    props,
    'Listing',
    {
      Resource: `arn:${props.partition}:states:::s3:listObjectsV2`,
      Parameters: { 'Bucket.$': '$.bucket', 'Prefix.$': '$.prefix' },
    },
    item('$.bucket', false),
  );
  const Comment = 'sealdrop: encrypts what lies in an inbox already';
  const inventory = distributedMap(
    props,
    'Inventory',
    {
      Resource: `arn:${props.partition}:states:::s3:getObject`,
      ReaderConfig: { InputType: 'MANIFEST' },
      Parameters: { 'Bucket.$': '$.manifest.bucket', 'Key.$': '$.manifest.key' },
    },
    // The row's own bucket: an inventory of another one is refused, not looked for in this one.
    item('$$.Map.Item.Value.Bucket', true),
  );
  // A listing in place of the inventory would take in more than was asked for.
  const noInventory = { Type: 'Fail', Error: 'InventoryNotConfigured' };
  const Source = {
    Type: 'Choice',
    Choices: [{ Variable: '$.manifest', IsPresent: true, Next: 'Inventory' }],
    Default: 'Listing',
  };
  const States = { Source, Listing: listing, Inventory: props.inventory ? inventory : noInventory };
  return { Comment, StartAt: 'Source', States };
}
