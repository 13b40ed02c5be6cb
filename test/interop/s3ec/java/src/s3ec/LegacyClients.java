package s3ec;

import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3Builder;
import com.amazonaws.services.s3.AmazonS3EncryptionClientBuilder;
import com.amazonaws.services.s3.AmazonS3EncryptionClientV2Builder;
import com.amazonaws.services.s3.model.CryptoConfiguration;
import com.amazonaws.services.s3.model.CryptoConfigurationV2;
import com.amazonaws.services.s3.model.CryptoMode;
import com.amazonaws.services.s3.model.CryptoRangeGetMode;
import com.amazonaws.services.s3.model.CryptoStorageMode;
import com.amazonaws.services.s3.model.EncryptionMaterials;
import com.amazonaws.services.s3.model.EncryptionMaterialsProvider;
import com.amazonaws.services.s3.model.GetObjectRequest;
import com.amazonaws.services.s3.model.StaticEncryptionMaterialsProvider;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;

/** The two encryption clients of the AWS SDK for Java 1, which wrote what is in old buckets. */
final class LegacyClients {
    static void run(Job job) throws Exception {
        AmazonS3 client = open(job);
        try {
            switch (job.op()) {
                case "put" -> client.putObject(job.bucket(), job.key(), job.body().toFile());
                case "get" -> get(client, job);
                default -> throw new IllegalArgumentException("no op " + job.op());
            }
        } finally {
            client.shutdown();
        }
    }

    private static AmazonS3 open(Job job) throws Exception {
        CryptoMode mode = CryptoMode.valueOf(job.mode());
        CryptoStorageMode place =
                job.instructionFile() ? CryptoStorageMode.InstructionFile : CryptoStorageMode.ObjectMetadata;
        EncryptionMaterialsProvider materials = new StaticEncryptionMaterialsProvider(materials(job));
        return switch (job.client()) {
            case "v1" -> at(job, AmazonS3EncryptionClientBuilder.standard()
                    .withEncryptionMaterials(materials)
                    .withCryptoConfiguration(new CryptoConfiguration(mode).withStorageMode(place)));
            case "v2" -> at(job, AmazonS3EncryptionClientV2Builder.standard()
                    .withEncryptionMaterialsProvider(materials)
                    .withCryptoConfiguration(new CryptoConfigurationV2(mode)
                            .withStorageMode(place)
                            .withRangeGetMode(job.legacyModes() ? CryptoRangeGetMode.ALL : CryptoRangeGetMode.DISABLED)));
            default -> throw new IllegalArgumentException("no client " + job.client());
        };
    }

    private static AmazonS3 at(Job job, AmazonS3Builder<?, ? extends AmazonS3> builder) {
        builder.setEndpointConfiguration(new EndpointConfiguration(job.endpoint(), System.getenv("AWS_REGION")));
        builder.setPathStyleAccessEnabled(true);
        return builder.build();
    }

    private static EncryptionMaterials materials(Job job) throws Exception {
        KeyFiles files = job.keyFiles();
        EncryptionMaterials materials = files.isAes()
                ? new EncryptionMaterials(files.secretKey())
                : new EncryptionMaterials(files.keyPair());
        return materials.addDescriptions(job.descriptionOrEmpty());
    }

    private static void get(AmazonS3 client, Job job) throws Exception {
        GetObjectRequest request = new GetObjectRequest(job.bucket(), job.key());
        if (job.range() != null) request.setRange(job.range()[0], job.range()[1]);
        try (InputStream body = client.getObject(request).getObjectContent()) {
            Files.copy(body, job.body(), StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
