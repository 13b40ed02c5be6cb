/**
 * Published vectors of V3, all in hex.
 *
 * Source of the first two: aws/amazon-s3-encryption-client-go v4/internal/key_derivation_test.go, and the same in
 * aws/aws-sdk-ruby gems/aws-sdk-s3/spec/fixtures/encryption/kdf_kat.json. `HELLO` has its content as well, and is in neither.
 */
export const HELLO = {
  dataKey: '09b579890de8618fa436ced66b655af4aa6ec760fabf3eb9e7cc7fd22e79851e',
  messageId: '9faa68cd791762eb7280bab11ca1d4011de7e3a255a628d9fbe54f0a',
  contentKey: 'bd99a917127150fae9e6f87193b122c52ae72fbcdc30e8d18cdf81fabf8b2df3',
  commitment: 'ebbeb009a83d2dad7ce3d8df0b7814d1dfe7e9e89703f768ab6ffe3f',
  plaintext: 'Hello, World!',
  ciphertext: 'ac9f0d1185cbc1d2b7e77788b4',
  tag: 'abe58c0c421fa648faca6de694057e9a',
};

export const KDF_VECTORS = [
  {
    dataKey: '80d90dc4cc7e77d8a6332efa44eba56230a7fe7b89af37d1e501ab2e07c0a163',
    messageId: 'b8ea76bed24c7b85382a148cb9dcd1cfdfb765f55ded4dfa6e0c4c79',
    contentKey: '6dd14f546cc006e639126e83f5d4d1b118576bb5df97f38c6fb3a1db87bbc338',
    commitment: 'f89818bc0a346d3a3426b68e9509b6b2ae5fe1f904aa329fb73625db',
  },
  {
    dataKey: '501afb8227d22e75e68010414b8abdaf3064c081e8e922dafef4992036394d60',
    messageId: '61a00b4981a5aacfd136c55cb726e32d2a547dc7600a7d4675c69127',
    contentKey: 'e14786a714748d1d2c3a4a6816dec56ddf1881bbeabb4f39420ffb9f63700b2f',
    commitment: '5c1e73e47f6fe3a70d6d094283aceaa76d2975feb829212d88f0afc1',
  },
  HELLO,
];
