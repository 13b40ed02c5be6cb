/**
 * Whether one event of a key came after another, by S3's sequencers.
 *
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html: "The sequencers can
 * be of different lengths. So, to compare these values, first right pad the shorter value with zeros, and then do a
 * lexicographical comparison." (Its first editions said to pad on the left; this is what AWS says since.)
 */
export function isLater(a: string, b: string): boolean {
  const length = Math.max(a.length, b.length);
  const padded = (text: string) => text.toUpperCase().padEnd(length, '0');
  return padded(a) > padded(b);
}
