package s3ec;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.StringJoiner;

/**
 * Puts and gets objects with the Amazon S3 Encryption Clients for Java. Reads a job a line, as JSON, from standard
 * input, and answers each with a line: {"ok":true}, or {"ok":false,"error":"..."} where the client refuses. It fails
 * itself only on a bug. Starting it takes longer than many jobs, so it stays until its input ends.
 */
public final class Driver {
    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // What libraries print is no answer.
        System.setOut(System.err);
        ObjectMapper json = new ObjectMapper();
        BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = jobs.readLine()) != null; )
            answers.println(json.writeValueAsString(answer(json.readValue(line, Job.class))));
    }

    private static Map<String, Object> answer(Job job) {
        try {
            if (job.client().equals("v4")) CurrentClient.run(job);
            else LegacyClients.run(job);
            return Map.of("ok", true);
        } catch (Exception error) {
            return Map.of("ok", false, "error", describe(error));
        }
    }

    private static String describe(Throwable error) {
        StringJoiner causes = new StringJoiner("; caused by ");
        for (Throwable each = error; each != null; each = each.getCause())
            causes.add(each.getClass().getSimpleName() + ": " + each.getMessage());
        return causes.toString();
    }
}
