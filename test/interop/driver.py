"""Encrypts and decrypts with the AWS Encryption SDK for Python, many jobs in one process: its start-up is slow.

usage: driver.py JOBS.json RESULTS.json

Speaks both of its interfaces: keyrings (4.x with the material providers library) where they are installed, raw master
key providers (1.x to 3.x) where they are not. A job that fails is a result; the driver itself fails only on a bug.
"""

import hashlib
import io
import json
import sys
import warnings

# Old versions on a new Python warn about themselves.
warnings.simplefilter("ignore")

import aws_encryption_sdk  # noqa: E402
from aws_encryption_sdk.identifiers import AlgorithmSuite, CommitmentPolicy  # noqa: E402

PIECE = 1000
BY_ID = {suite.algorithm_id: suite for suite in AlgorithmSuite}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def keyrings():
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        AesWrappingAlg,
        CreateAwsKmsKeyringInput,
        CreateMultiKeyringInput,
        CreateRawAesKeyringInput,
        CreateRawRsaKeyringInput,
        PaddingScheme,
    )

    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())

    def raw_rsa(key, oaep_hash):
        return providers.create_raw_rsa_keyring(
            input=CreateRawRsaKeyringInput(
                key_namespace=key["namespace"],
                key_name=key["name"],
                padding_scheme=getattr(PaddingScheme, "OAEP_{}_MGF1".format(oaep_hash.upper())),
                public_key=read(key["publicKey"]) if "publicKey" in key else None,
                private_key=read(key["privateKey"]) if "privateKey" in key else None,
            )
        )

    def raw_aes(key):
        secret = read(key["secretKey"])
        return providers.create_raw_aes_keyring(
            input=CreateRawAesKeyringInput(
                key_namespace=key["namespace"],
                key_name=key["name"],
                wrapping_key=secret,
                wrapping_alg=getattr(AesWrappingAlg, "ALG_AES{}_GCM_IV12_TAG16".format(8 * len(secret))),
            )
        )

    def kms(arn):
        import boto3

        client = boto3.client("kms", region_name=arn.split(":")[3])
        return providers.create_aws_kms_keyring(input=CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=client))

    def keyring(key, oaep_hash):
        if "kms" in key:
            return kms(key["kms"])
        return raw_aes(key) if "secretKey" in key else raw_rsa(key, oaep_hash)

    def make(keys, oaep_hash):
        rings = [keyring(key, oaep_hash) for key in keys]
        if len(rings) == 1:
            return {"keyring": rings[0]}
        multi = CreateMultiKeyringInput(generator=rings[0], child_keyrings=rings[1:])
        return {"keyring": providers.create_multi_keyring(input=multi)}

    return make


def master_key_providers():
    from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
    from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
    from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

    def aes(key):
        secret = read(key["secretKey"])
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm["AES_{}_GCM_IV12_TAG16_NO_PADDING".format(8 * len(secret))],
            wrapping_key=secret,
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )

    def rsa(key, oaep_hash):
        private = "privateKey" in key
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm["RSA_OAEP_{}_MGF1".format(oaep_hash.upper())],
            wrapping_key=read(key["privateKey" if private else "publicKey"]),
            wrapping_key_type=EncryptionKeyType.PRIVATE if private else EncryptionKeyType.PUBLIC,
        )

    def provider(key, oaep_hash):
        wrapping_key = aes(key) if "secretKey" in key else rsa(key, oaep_hash)

        class OneKey(RawMasterKeyProvider):
            provider_id = key["namespace"]

            def _get_raw_key(self, key_id):
                if key_id != key["name"].encode():
                    raise aws_encryption_sdk.exceptions.InvalidKeyIdError(key_id)
                return wrapping_key

        made = OneKey()
        made.add_master_key(key["name"])
        return made

    def make(keys, oaep_hash):
        first, *others = [provider(key, oaep_hash) for key in keys]
        for other in others:
            first.add_master_key_provider(other)
        return {"key_provider": first}

    return make


def opener():
    try:
        make = keyrings()
    except ImportError:
        make = master_key_providers()
    made = {}

    def cached(keys, oaep_hash):
        # Loading a private key checks it, which takes longer than all the rest of a small job.
        name = json.dumps([keys, oaep_hash], sort_keys=True)
        if name not in made:
            made[name] = make(keys, oaep_hash)
        return made[name]

    return cached


def client_for(job):
    options = {"max_encrypted_data_keys": job["maxKeys"]} if "maxKeys" in job else {}
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy[job["policy"]], **options)


def options_of(job, keys):
    options = dict(keys)
    if job["op"] == "encrypt":
        options["encryption_context"] = job.get("context", {})
        if "suite" in job:
            options["algorithm"] = BY_ID[job["suite"]]
        if "frameLength" in job:
            options["frame_length"] = job["frameLength"]
    return options


def through_stream(client, job, options):
    mode = job["op"] + ("-unsigned" if job.get("unsignedOnly") else "")
    out = io.BytesIO()
    with open(job["input"], "rb") as source, client.stream(mode=mode, source=source, **options) as stream:
        header = stream.header
        for piece in iter(lambda: stream.read(PIECE), b""):
            out.write(piece)
    return out.getvalue(), header


def at_once(client, job, options):
    run = client.encrypt if job["op"] == "encrypt" else client.decrypt
    return run(source=read(job["input"]), **options)


def run(job, open_keys):
    client = client_for(job)
    options = options_of(job, open_keys(job["keys"], job["hash"]))
    result, header = (through_stream if job.get("stream") else at_once)(client, job, options)
    if "output" in job:
        with open(job["output"], "wb") as file:
            file.write(result)
    return {
        "ok": True,
        "size": len(result),
        "sha256": hashlib.sha256(result).hexdigest(),
        "suite": header.algorithm.algorithm_id,
        "frameLength": header.frame_length,
        "context": dict(header.encryption_context),
        "wrappedKeys": len(header.encrypted_data_keys),
    }


def attempt(job, open_keys):
    try:
        return run(job, open_keys)
    except Exception as error:  # whatever it refuses with is the answer
        return {"ok": False, "error": type(error).__name__, "message": str(error)}


def main():
    jobs = json.loads(read(sys.argv[1]))
    open_keys = opener()
    document = {
        "version": aws_encryption_sdk.identifiers.__version__,
        "results": [attempt(job, open_keys) for job in jobs],
    }
    with open(sys.argv[2], "w") as file:
        json.dump(document, file)


if __name__ == "__main__":
    main()
