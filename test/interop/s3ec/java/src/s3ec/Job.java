package s3ec;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.Map;

/**
 * What is asked for.
 *
 * @param client {@code v4}, or the legacy {@code v1}, {@code v2}
 * @param op {@code put}, {@code get}; {@code reencrypt} of v4: the instruction file, for another key
 * @param body path of the plaintext: read by put, written by get
 * @param description the material description that put writes, and reencrypt for the new key; the one under which get
 *     has the key, null for whichever
 * @param suite of v4, which it writes: 0x0072 or 0x0073; null for its default
 * @param policy of v4: the commitment policy; null for its default
 * @param mode of the legacy clients: a CryptoMode by its name
 * @param instructionFile whether put writes one
 * @param suffix of the instruction file that get reads or reencrypt writes; without its dot; null for the default
 * @param multipart of v4: whether put uploads in parts of 5 MiB
 * @param range of get: first and last byte of the plaintext; null for all
 */
record Job(
        String client,
        String op,
        String endpoint,
        String bucket,
        String key,
        Path body,
        @JsonProperty("wrapping") KeyFiles keyFiles,
        KeyFiles newWrapping,
        Map<String, String> description,
        Integer suite,
        String policy,
        String mode,
        boolean legacyWrapping,
        boolean legacyModes,
        boolean instructionFile,
        String suffix,
        boolean multipart,
        long[] range) {
    Map<String, String> descriptionOrEmpty() {
        return description == null ? Map.of() : description;
    }
}
