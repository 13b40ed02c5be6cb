// Puts and gets objects with the Amazon S3 Encryption Client for Go, version 3 or 4: many jobs in one process.
//
// usage: s3ec JOBS.json RESULTS.json
//
// Where S3 and KMS are, and who asks, the environment says: so the clients' own request for an instruction file, which
// takes no other settings, finds them too. A job that fails is a result; the program itself fails only on a bug.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type job struct {
	Client  string
	Op      string
	Bucket  string
	Key     string
	KmsKey  string
	Context map[string]string
	// By the clients' own name; empty for the client's own default.
	Policy string
	// 0 for the client's own default.
	Suite          int
	LegacyWrapping bool
	LegacyModes    bool
	// Path of the plaintext: read by put, written by get.
	Body string
}

type result struct {
	Ok    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// What both versions have in common.
type encryptionClient interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

var openers = map[string]func(job, *s3.Client, *kms.Client) (encryptionClient, error){"go-3": openV3, "go-4": openV4}

func main() {
	var jobs []job
	text, err := os.ReadFile(os.Args[1])
	must(err)
	must(json.Unmarshal(text, &jobs))
	settings, err := config.LoadDefaultConfig(context.Background())
	must(err)
	s3Client, kmsClient := s3.NewFromConfig(settings), kms.NewFromConfig(settings)
	results := make([]result, len(jobs))
	for i, each := range jobs {
		if err := run(each, s3Client, kmsClient); err != nil {
			results[i].Error = err.Error()
		} else {
			results[i].Ok = true
		}
	}
	text, err = json.Marshal(results)
	must(err)
	must(os.WriteFile(os.Args[2], text, 0o600))
}

func run(job job, s3Client *s3.Client, kmsClient *kms.Client) error {
	open, known := openers[job.Client]
	if !known {
		return fmt.Errorf("no client %q", job.Client)
	}
	client, err := open(job, s3Client, kmsClient)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if job.Context != nil {
		// Both versions look it up by this plain string.
		ctx = context.WithValue(ctx, "EncryptionContext", job.Context)
	}
	if job.Op == "put" {
		return put(ctx, client, job)
	}
	return get(ctx, client, job)
}

func put(ctx context.Context, client encryptionClient, job job) error {
	body, err := os.Open(job.Body)
	must(err)
	defer body.Close()
	input := &s3.PutObjectInput{Bucket: aws.String(job.Bucket), Key: aws.String(job.Key), Body: body}
	_, err = client.PutObject(ctx, input)
	return err
}

func get(ctx context.Context, client encryptionClient, job job) error {
	output, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(job.Bucket), Key: aws.String(job.Key)})
	if err != nil {
		return err
	}
	defer output.Body.Close()
	body, err := os.Create(job.Body)
	must(err)
	defer body.Close()
	_, err = io.Copy(body, output.Body)
	return err
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
