import com.pixelmed.validate.DicomSRValidator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import javax.xml.transform.ErrorListener;
import javax.xml.transform.Source;
import javax.xml.transform.Templates;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerConfigurationException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.URIResolver;

/**
 * Validates many DICOM SRs in one JVM with PixelMed's DicomSRValidator.
 *
 * Reads names of files from standard input, one per line, and writes one line per event to standard output:
 * "begun NAME", then "done NAME OUTPUT" with what the validator says, or "failed NAME REASON" with what it threw.
 * OUTPUT and REASON are UTF-8 in Base64, so that no content can look like the end of a line. The argument is the
 * number of threads; each has a validator of its own, because a validator keeps state while it works.
 */
public class ValidateReports {
    private final PrintStream events;
    private final Queue<String> names;

    ValidateReports(PrintStream events, List<String> names) {
        this.events = events;
        this.names = new ConcurrentLinkedQueue<>(names);
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream events = System.out;
        // PixelMed writes what it likes to standard output; that must not get between the events.
        System.setOut(System.err);
        System.setProperty(TransformerFactory.class.getName(), NamingFactory.class.getName());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        ValidateReports work = new ValidateReports(events, input.lines().collect(Collectors.toList()));
        for (int thread = 0; thread < Integer.parseInt(arguments[0]); thread++) {
            Thread worker = new Thread(work::validateAll);
            // In source-file mode the loader of this class is not the one that a factory is looked for in.
            worker.setContextClassLoader(ValidateReports.class.getClassLoader());
            worker.start();
        }
    }

    private void validateAll() {
        try {
            DicomSRValidator validator = new DicomSRValidator();
            for (String name = names.poll(); name != null; name = names.poll()) {
                tell("begun " + name);
                tell(validate(validator, name));
            }
        } catch (Throwable problem) {
            problem.printStackTrace();
            System.exit(1);
        }
    }

    private static String validate(DicomSRValidator validator, String name) {
        try {
            return "done " + name + " " + encoded(validator.validate(name));
        } catch (Exception | StackOverflowError problem) {
            // An exhausted memory, in contrast, ends the JVM: what other threads do then cannot be trusted.
            return "failed " + name + " " + encoded(problem.toString());
        }
    }

    private void tell(String event) {
        synchronized (events) {
            events.println(event);
            events.flush();
        }
    }

    private static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Names the documents that PixelMed's stylesheets ask for.
     *
     * The processor keeps a document for the rest of a transformation if its name is the one that the stylesheet asks
     * for, made absolute. PixelMed gives neither its stylesheets nor its context groups a name, so these were parsed
     * again for every code of a report, which took nearly all of the time and kept every copy in memory.
     */
    public static class NamingFactory extends TransformerFactory {
        private static final String PLACE = "file:///pixelmed/";
        private final TransformerFactory factory = TransformerFactory.newDefaultInstance();

        @Override
        public void setURIResolver(URIResolver resolver) {
            factory.setURIResolver((name, base) -> {
                Source source = resolver.resolve(name, base);
                if (source != null && source.getSystemId() == null) {
                    source.setSystemId(PLACE + name);
                }
                return source;
            });
        }

        @Override
        public URIResolver getURIResolver() {
            return factory.getURIResolver();
        }

        @Override
        public Transformer newTransformer(Source source) throws TransformerConfigurationException {
            if (source.getSystemId() == null) {
                source.setSystemId(PLACE + "stylesheet.xsl");
            }
            return factory.newTransformer(source);
        }

        @Override
        public Transformer newTransformer() throws TransformerConfigurationException {
            return factory.newTransformer();
        }

        @Override
        public Templates newTemplates(Source source) throws TransformerConfigurationException {
            return factory.newTemplates(source);
        }

        @Override
        public Source getAssociatedStylesheet(Source source, String media, String title, String charset)
                throws TransformerConfigurationException {
            return factory.getAssociatedStylesheet(source, media, title, charset);
        }

        @Override
        public void setFeature(String name, boolean value) throws TransformerConfigurationException {
            factory.setFeature(name, value);
        }

        @Override
        public boolean getFeature(String name) {
            return factory.getFeature(name);
        }

        @Override
        public void setAttribute(String name, Object value) {
            factory.setAttribute(name, value);
        }

        @Override
        public Object getAttribute(String name) {
            return factory.getAttribute(name);
        }

        @Override
        public void setErrorListener(ErrorListener listener) {
            factory.setErrorListener(listener);
        }

        @Override
        public ErrorListener getErrorListener() {
            return factory.getErrorListener();
        }
    }
}
