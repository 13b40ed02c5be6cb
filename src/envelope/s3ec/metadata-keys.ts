/**
 * The names of an object's entries. In front of each, S3 has `x-amz-meta-`.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md.
 */
export const V1_WRAPPED_KEY = 'x-amz-key';
export const V2_WRAPPED_KEY = 'x-amz-key-v2';
export const IV = 'x-amz-iv';
export const DESCRIPTION = 'x-amz-matdesc';
export const CONTENT_ALGORITHM = 'x-amz-cek-alg';
export const WRAP_ALGORITHM = 'x-amz-wrap-alg';
export const TAG_LENGTH = 'x-amz-tag-len';
export const PLAINTEXT_LENGTH = 'x-amz-unencrypted-content-length';

export const V3_CONTENT_ALGORITHM = 'x-amz-c';
export const V3_WRAPPED_KEY = 'x-amz-3';
export const V3_WRAP_ALGORITHM = 'x-amz-w';
export const V3_COMMITMENT = 'x-amz-d';
export const V3_MESSAGE_ID = 'x-amz-i';
/** With AES and RSA keys. */
export const V3_DESCRIPTION = 'x-amz-m';
/** With KMS. */
export const V3_CONTEXT = 'x-amz-t';
