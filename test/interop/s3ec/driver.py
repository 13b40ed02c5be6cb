"""Puts and gets objects with the Amazon S3 Encryption Client for Python: many jobs in one process.

usage: driver.py JOBS.json RESULTS.json

Jobs and results are those of go/main.go. A job that fails is a result; the driver itself fails only on a bug.
"""

import json
import sys

import boto3
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy

SUITES = {suite.suite_id: suite for suite in AlgorithmSuite}


def config_of(job):
    legacy = job.get("legacyWrapping", False)
    keyring = KmsKeyring(boto3.client("kms"), job["kmsKey"], enable_legacy_wrapping_algorithms=legacy)
    options = {"enable_legacy_unauthenticated_modes": job.get("legacyModes", False)}
    if "policy" in job:
        options["commitment_policy"] = CommitmentPolicy[job["policy"]]
    if "suite" in job:
        options["encryption_algorithm"] = SUITES[job["suite"]]
    return S3EncryptionClientConfig(keyring, **options)


def run(job):
    # A client for each job: it installs itself in the one that it wraps.
    client = S3EncryptionClient(boto3.client("s3"), config_of(job))
    target = {"Bucket": job["bucket"], "Key": job["key"]}
    context = {"EncryptionContext": job["context"]} if "context" in job else {}
    if job["op"] == "upload":
        # From 8 MiB on in parts.
        client.upload_file(job["body"], target["Bucket"], target["Key"], **context)
    elif job["op"] == "put":
        with open(job["body"], "rb") as body:
            client.put_object(**target, **context, Body=body.read())
    else:
        plaintext = client.get_object(**target, **context)["Body"].read()
        with open(job["body"], "wb") as body:
            body.write(plaintext)


def attempt(job):
    try:
        run(job)
        return {"ok": True}
    except Exception as error:  # whatever it refuses with is the answer
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump([attempt(job) for job in jobs], file)


if __name__ == "__main__":
    main()
