package s3ec;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/**
 * The paths of a wrapping key's files: those of an RSA key, or that of an AES key.
 *
 * @param publicKey PEM, SPKI; null where only reading
 * @param privateKey PEM, PKCS #8; null where only writing
 * @param aesKey base64
 */
record KeyFiles(Path publicKey, Path privateKey, Path aesKey) {
    boolean isAes() {
        return aesKey != null;
    }

    SecretKey secretKey() throws IOException {
        return new SecretKeySpec(Base64.getDecoder().decode(Files.readString(aesKey).trim()), "AES");
    }

    KeyPair keyPair() throws IOException, GeneralSecurityException {
        KeyFactory rsa = KeyFactory.getInstance("RSA");
        return new KeyPair(
                publicKey == null ? null : rsa.generatePublic(new X509EncodedKeySpec(pem(publicKey))),
                privateKey == null ? null : rsa.generatePrivate(new PKCS8EncodedKeySpec(pem(privateKey))));
    }

    private static byte[] pem(Path file) throws IOException {
        return Base64.getMimeDecoder().decode(Files.readString(file).replaceAll("-----[^-]*-----", ""));
    }
}
