"""Opens an object with a key set, by AWS's own library and without sealdrop.

    pip install 'aws-encryption-sdk[MPL]==4.0.7'
    python open_with_key_set.py keys.json object.bin opened.txt

A private half that is locked is unlocked first:
    jq -r '.keys[0].privateKey' keys.json | openssl pkey -out private_key.pem
"""

import json
import sys

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    AesWrappingAlg,
    CreateMultiKeyringInput,
    CreateRawAesKeyringInput,
    CreateRawRsaKeyringInput,
    PaddingScheme,
)
from aws_encryption_sdk.identifiers import CommitmentPolicy
from base64 import b64decode

AES = {16: AesWrappingAlg.ALG_AES128_GCM_IV12_TAG16, 24: AesWrappingAlg.ALG_AES192_GCM_IV12_TAG16}
AES[32] = AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16

providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyrings(path):
    with open(path, encoding="utf-8") as file:
        keys = json.load(file)["keys"]
    for key in keys:
        names = {"key_namespace": key["namespace"], "key_name": key["name"]}
        if "privateKey" in key:
            yield providers.create_raw_rsa_keyring(
                input=CreateRawRsaKeyringInput(
                    **names,
                    padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
                    private_key=key["privateKey"].encode(),
                )
            )
        elif "secretKey" in key:
            secret = b64decode(key["secretKey"])
            yield providers.create_raw_aes_keyring(
                input=CreateRawAesKeyringInput(**names, wrapping_key=secret, wrapping_alg=AES[len(secret)])
            )


def main(key_set, source, target):
    keyring = providers.create_multi_keyring(input=CreateMultiKeyringInput(child_keyrings=list(keyrings(key_set))))
    client = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, max_encrypted_data_keys=20
    )
    with open(source, "rb") as message:
        plaintext, header = client.decrypt(source=message.read(), keyring=keyring)
    with open(target, "wb") as file:
        file.write(plaintext)
    print("{} bytes, made for {}".format(len(plaintext), header.encryption_context.get("sealdrop:key", "any key")))


if __name__ == "__main__":
    main(*sys.argv[1:])
