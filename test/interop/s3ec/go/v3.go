package main

import (
	"github.com/aws/amazon-s3-encryption-client-go/v3/client"
	"github.com/aws/amazon-s3-encryption-client-go/v3/materials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Version 3.1 has one suite and no commitment policies.
func openV3(job job, s3Client *s3.Client, kmsClient *kms.Client) (encryptionClient, error) {
	keyring := materials.NewKmsKeyring(kmsClient, job.KmsKey, func(options *materials.KeyringOptions) {
		options.EnableLegacyWrappingAlgorithms = job.LegacyWrapping
	})
	manager, err := materials.NewCryptographicMaterialsManager(keyring)
	if err != nil {
		return nil, err
	}
	return client.New(s3Client, manager, func(options *client.EncryptionClientOptions) {
		options.EnableLegacyUnauthenticatedModes = job.LegacyModes
	})
}
