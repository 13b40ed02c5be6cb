"""Lets the AWS Encryption CLI open messages with an RSA private key in a PEM file.

--wrapping-keys provider=rsa-key-file key=NAME namespace=NAMESPACE pem=FILE
"""

from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider


def provider(pem, namespace=("MyAppKeys",), **_discovery):
    """What the command gives are lists."""
    with open(pem[0], "rb") as file:
        wrapping_key = WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.RSA_OAEP_SHA256_MGF1,
            wrapping_key=file.read(),
            wrapping_key_type=EncryptionKeyType.PRIVATE,
        )

    class RsaKeyFile(RawMasterKeyProvider):
        provider_id = namespace[0]

        def _get_raw_key(self, key_id):
            return wrapping_key

    return RsaKeyFile()
