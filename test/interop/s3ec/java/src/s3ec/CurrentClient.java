package s3ec;

import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.encryption.s3.CommitmentPolicy;
import software.amazon.encryption.s3.S3EncryptionClient;
import software.amazon.encryption.s3.algorithms.AlgorithmSuite;
import software.amazon.encryption.s3.internal.InstructionFileConfig;
import software.amazon.encryption.s3.internal.ReEncryptInstructionFileRequest;

/** The S3 Encryption Client for Java, version 4. Who asks and in which region, the environment says. */
final class CurrentClient {
    /** It keeps a whole object until the tag is checked, 64 MiB of it by default. */
    private static final long BUFFER = 256L << 20;

    /** Kept: closing one takes two seconds. */
    private static final SdkHttpClient HTTP = ApacheHttpClient.create();

    private static final SdkAsyncHttpClient ASYNC_HTTP = NettyNioAsyncHttpClient.create();

    static void run(Job job) throws Exception {
        URI endpoint = URI.create(job.endpoint());
        try (S3Client plain = S3Client.builder()
                        .endpointOverride(endpoint)
                        .forcePathStyle(true)
                        .httpClient(HTTP)
                        .build();
                S3EncryptionClient client = open(job, plain)) {
            switch (job.op()) {
                case "put" -> client.putObject(
                        to -> to.bucket(job.bucket()).key(job.key()), RequestBody.fromFile(job.body()));
                case "get" -> get(client, job);
                case "reencrypt" -> reencrypt(client, job);
                default -> throw new IllegalArgumentException("no op " + job.op());
            }
        }
    }

    private static S3EncryptionClient open(Job job, S3Client plain) throws Exception {
        InstructionFileConfig instructionFile = InstructionFileConfig.builder()
                .instructionFileClient(plain)
                .enableInstructionFilePutObject(job.instructionFile() || job.op().equals("reencrypt"))
                .build();
        S3EncryptionClient.Builder builder = S3EncryptionClient.builderV4()
                .endpointOverride(URI.create(job.endpoint()))
                .forcePathStyle(true)
                .httpClient(HTTP)
                .asyncHttpClient(ASYNC_HTTP)
                .keyring(Keyrings.of(job))
                .enableLegacyUnauthenticatedModes(job.legacyModes())
                .enableMultipartPutObject(job.multipart())
                .setBufferSize(BUFFER)
                .instructionFileConfig(instructionFile);
        if (job.suite() != null) builder.encryptionAlgorithm(suite(job.suite()));
        if (job.policy() != null) builder.commitmentPolicy(CommitmentPolicy.valueOf(job.policy()));
        return builder.build();
    }

    private static AlgorithmSuite suite(int id) {
        for (AlgorithmSuite suite : AlgorithmSuite.values()) if (suite.id() == id) return suite;
        throw new IllegalArgumentException("no suite " + id);
    }

    private static void get(S3EncryptionClient client, Job job) throws Exception {
        GetObjectRequest.Builder request = GetObjectRequest.builder().bucket(job.bucket()).key(job.key());
        if (job.range() != null) request.range("bytes=" + job.range()[0] + "-" + job.range()[1]);
        if (job.suffix() != null)
            request.overrideConfiguration(S3EncryptionClient.withCustomInstructionFileSuffix("." + job.suffix()));
        try (OutputStream body = Files.newOutputStream(job.body())) {
            client.getObject(request.build(), ResponseTransformer.toOutputStream(body));
        }
    }

    private static void reencrypt(S3EncryptionClient client, Job job) throws Exception {
        ReEncryptInstructionFileRequest.Builder request = ReEncryptInstructionFileRequest.builder()
                .bucket(job.bucket())
                .key(job.key())
                .newKeyring(Keyrings.forNew(job));
        // It puts the dot before it.
        if (job.suffix() != null) request.instructionFileSuffix(job.suffix());
        client.reEncryptInstructionFile(request.build());
    }
}
