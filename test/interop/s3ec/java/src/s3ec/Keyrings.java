package s3ec;

import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Map;
import javax.crypto.KeyGenerator;
import javax.crypto.SecretKey;
import software.amazon.encryption.s3.materials.AesKeyMaterial;
import software.amazon.encryption.s3.materials.AesKeyring;
import software.amazon.encryption.s3.materials.MaterialsDescription;
import software.amazon.encryption.s3.materials.PartialRsaKeyPair;
import software.amazon.encryption.s3.materials.RawKeyring;
import software.amazon.encryption.s3.materials.RsaKeyMaterial;
import software.amazon.encryption.s3.materials.RsaKeyring;

/** The keys of version 4. */
final class Keyrings {
    /**
     * Where a get names a description, its key is in the keyring under that description alone, and the keyring's own key
     * is another: an object of which another description is read does not open.
     */
    static RawKeyring of(Job job) throws Exception {
        KeyFiles files = job.keyFiles();
        boolean lookedUp = job.op().equals("get") && job.description() != null;
        if (!lookedUp) return keyring(files, description(job), job.legacyWrapping());
        return files.isAes() ? aesUnder(description(job), job) : rsaUnder(description(job), job);
    }

    static RawKeyring forNew(Job job) throws Exception {
        return keyring(job.newWrapping(), description(job), false);
    }

    private static RawKeyring keyring(KeyFiles files, MaterialsDescription description, boolean legacy)
            throws Exception {
        if (files.isAes())
            return AesKeyring.builder()
                    .wrappingKey(files.secretKey())
                    .materialsDescription(description)
                    .enableLegacyWrappingAlgorithms(legacy)
                    .build();
        return RsaKeyring.builder()
                .wrappingKeyPair(new PartialRsaKeyPair(files.keyPair()))
                .materialsDescription(description)
                .enableLegacyWrappingAlgorithms(legacy)
                .build();
    }

    private static RawKeyring aesUnder(MaterialsDescription description, Job job) throws Exception {
        KeyGenerator generator = KeyGenerator.getInstance("AES");
        generator.init(256);
        SecretKey key = job.keyFiles().secretKey();
        return AesKeyring.builder()
                .wrappingKey(generator.generateKey())
                .additionalDecryptionKeyMaterial(Map.of(description, new AesKeyMaterial(description, key)))
                .enableLegacyWrappingAlgorithms(job.legacyWrapping())
                .build();
    }

    private static RawKeyring rsaUnder(MaterialsDescription description, Job job) throws Exception {
        KeyPair other = KeyPairGenerator.getInstance("RSA").generateKeyPair();
        PartialRsaKeyPair key = new PartialRsaKeyPair(job.keyFiles().keyPair());
        return RsaKeyring.builder()
                .wrappingKeyPair(new PartialRsaKeyPair(other))
                .additionalDecryptionKeyMaterial(Map.of(description, new RsaKeyMaterial(description, key)))
                .enableLegacyWrappingAlgorithms(job.legacyWrapping())
                .build();
    }

    private static MaterialsDescription description(Job job) {
        return MaterialsDescription.builder().putAll(job.descriptionOrEmpty()).build();
    }
}
