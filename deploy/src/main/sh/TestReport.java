import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/**
 * Sums up what Surefire and Failsafe left in the modules' target folders: {@code java TestReport.java CHECKOUT}. Lists every skipped
 * test with its reason, every failed one with its message, and every one that failed and passed when it was run again; exits with 1 if
 * there is no test at all or a failed one.
 */
public final class TestReport {

    private int tests;
    private double seconds;
    private final List<String> skipped = new ArrayList<>();
    private final List<String> failed = new ArrayList<>();
    private final List<String> flaky = new ArrayList<>();

    private TestReport() {}

    public static void main(String[] arguments) throws IOException {
        TestReport report = new TestReport();
        try (Stream<Path> files = Files.walk(Path.of(arguments[0]), 5)) {
            files.filter(TestReport::isReport).sorted().forEach(report::add);
        }
        report.print(System.out);
        System.exit(report.tests == 0 || !report.failed.isEmpty() ? 1 : 0);
    }

    private static boolean isReport(Path file) {
        Path folder = file.getParent();
        return file.getFileName().toString().matches("TEST-.*\\.xml")
                && (folder.endsWith("target/surefire-reports") || folder.endsWith("target/failsafe-reports"));
    }

    private void add(Path file) {
        Document document;
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            document = factory.newDocumentBuilder().parse(file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (ParserConfigurationException | SAXException e) {
            failed.add(file + ": not a report: " + e.getMessage());
            return;
        }
        NodeList cases = document.getElementsByTagName("testcase");
        for (int i = 0; i < cases.getLength(); i++) {
            Element test = (Element) cases.item(i);
            String className = test.getAttribute("classname");
            String name = className.substring(className.lastIndexOf('.') + 1) + "." + test.getAttribute("name");
            tests++;
            String time = test.getAttribute("time").replace(",", "");
            seconds += time.isEmpty() ? 0 : Double.parseDouble(time);
            reason(test, "skipped").ifPresent(reason -> skipped.add(name + ": " + reason));
            reason(test, "failure").ifPresent(reason -> failed.add(name + ": " + reason));
            reason(test, "error").ifPresent(reason -> failed.add(name + ": " + reason));
            reason(test, "flakyFailure").ifPresent(reason -> flaky.add(name + ": " + reason));
            reason(test, "flakyError").ifPresent(reason -> flaky.add(name + ": " + reason));
        }
    }

    private static java.util.Optional<String> reason(Element test, String kind) {
        NodeList elements = test.getElementsByTagName(kind);
        if (elements.getLength() == 0) {
            return java.util.Optional.empty();
        }
        Element element = (Element) elements.item(0);
        String message = element.getAttribute("message").strip();
        if (message.isEmpty()) {
            message = element.getTextContent().strip().lines().findFirst().orElse("no reason given");
        }
        return java.util.Optional.of(message.replaceAll("\\s+", " "));
    }

    private void print(PrintStream out) {
        out.printf(
                "%d tests, %d failed, %d flaky, %d skipped, %.0f s in tests%n",
                tests, failed.size(), flaky.size(), skipped.size(), seconds);
        skipped.forEach(test -> out.println("  skipped  " + test));
        flaky.forEach(test -> out.println("  flaky    " + test));
        failed.forEach(test -> out.println("  FAILED   " + test));
        out.flush();
    }
}
