package main

import (
	"fmt"

	"github.com/aws/amazon-s3-encryption-client-go/v4/algorithms"
	"github.com/aws/amazon-s3-encryption-client-go/v4/client"
	"github.com/aws/amazon-s3-encryption-client-go/v4/commitment"
	"github.com/aws/amazon-s3-encryption-client-go/v4/materials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var policies = map[string]commitment.CommitmentPolicy{
	"FORBID_ENCRYPT_ALLOW_DECRYPT":    commitment.FORBID_ENCRYPT_ALLOW_DECRYPT,
	"REQUIRE_ENCRYPT_ALLOW_DECRYPT":   commitment.REQUIRE_ENCRYPT_ALLOW_DECRYPT,
	"REQUIRE_ENCRYPT_REQUIRE_DECRYPT": commitment.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
}

var suites = map[int]*algorithms.AlgorithmSuite{
	0x0072: algorithms.AlgAES256GCMIV12Tag16NoKDF,
	0x0073: algorithms.AlgAES256GCMHkdfSha512CommitKey,
}

func openV4(job job, s3Client *s3.Client, kmsClient *kms.Client) (encryptionClient, error) {
	policy, known := policies[job.Policy]
	if job.Policy != "" && !known {
		return nil, fmt.Errorf("no policy %q", job.Policy)
	}
	keyring := materials.NewKmsKeyring(kmsClient, job.KmsKey, func(options *materials.KeyringOptions) {
		options.EnableLegacyWrappingAlgorithms = job.LegacyWrapping
	})
	manager, err := materials.NewCryptographicMaterialsManager(keyring)
	if err != nil {
		return nil, err
	}
	return client.New(s3Client, manager, func(options *client.EncryptionClientOptions) {
		options.EnableLegacyUnauthenticatedModes = job.LegacyModes
		options.EncryptionAlgorithmSuite = suites[job.Suite]
		if known {
			options.CommitmentPolicy = policy
		}
	})
}
