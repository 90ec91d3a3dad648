package dev.longshore.deploy;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The rules of docs/ARCHITECTURE.md over the classes of every module. */
class ArchitectureTest {

    private static final String GENERATED = "dev.longshore.api..";

    private static JavaClasses classes;

    @BeforeAll
    static void importEveryModule() {
        classes = new ClassFileImporter()
                .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .withImportOption(location -> !location.contains("dev/longshore/api/"))
                .importPackages("dev.longshore");
        assertThat(classes.stream().map(type -> type.getPackageName()).distinct())
                .as("every program is on the class path of this test")
                .contains(
                        "dev.longshore.daemon.boot",
                        "dev.longshore.overlay",
                        "dev.longshore.snapshots",
                        "dev.longshore.stargz",
                        "dev.longshore.content.ipfs",
                        "dev.longshore.ipfs",
                        "dev.longshore.shim",
                        "dev.longshore.cli",
                        "dev.longshore.stream.ctd",
                        "dev.longshore.ocicrypt",
                        "dev.longshore.estargz",
                        "dev.longshore.examples.copy");
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("dev.longshore.(**)").should().beFreeOfCycles().check(classes);
    }

    @Test
    void pluginsSeeNeitherEachOtherNorTheDaemon() {
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.overlay..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.stargz..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .check(classes);
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.stargz..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .check(classes);
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.content..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.stargz..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .check(classes);
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.shim..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.cli..",
                        "dev.longshore.transport..")
                .check(classes);
        noClasses()
                .that()
                .resideInAnyPackage("dev.longshore.stream..", "dev.longshore.ocicrypt..", "dev.longshore.estargz..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..",
                        "dev.longshore.transport..")
                .check(classes);
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.examples..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .check(classes);
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.cli..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.stargz..",
                        "dev.longshore.shim..")
                .check(classes);
    }

    @Test
    void theDaemonSeesNoPlugin() {
        noClasses()
                .that()
                .resideInAPackage("dev.longshore.daemon..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.overlay..",
                        "dev.longshore.stargz..",
                        "dev.longshore.content..",
                        "dev.longshore.shim..")
                .check(classes);
    }

    @Test
    void librariesSeeNoProgram() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        "dev.longshore.estargz..",
                        "dev.longshore.ipfs..",
                        "dev.longshore.registry..",
                        "dev.longshore.sdk..",
                        "dev.longshore.snapshots..",
                        "dev.longshore.transport..",
                        "dev.longshore.ttrpc..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.longshore.daemon..",
                        "dev.longshore.overlay..",
                        "dev.longshore.stargz..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .check(classes);
    }

    @Test
    void generatedTypesStopAtTheEdges() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        "dev.longshore.testkit..",
                        "dev.longshore.transport..",
                        "dev.longshore.ttrpc..",
                        "dev.longshore.daemon.service..",
                        "dev.longshore.daemon.runtime..",
                        "dev.longshore.shim..",
                        "dev.longshore.cli..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage(GENERATED)
                .check(classes);
    }

    @Test
    void grpcAndNettyStopAtTheEdges() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        "dev.longshore.testkit..",
                        "dev.longshore.transport..",
                        "dev.longshore.daemon.service..",
                        "dev.longshore.cli..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.grpc..", "io.netty..")
                .check(classes);
    }

    @Test
    void nativeLibrariesStayInTheirPackages() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.longshore.sdk.linux..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("com.sun.jna..")
                .check(classes);
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.longshore.sdk.socket..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.newsclub..")
                .check(classes);
    }

    @Test
    void sqlStaysInTheMetadataStores() {
        noClasses()
                .that(are(not(resideInAPackage("dev.longshore.daemon.metadata..")
                        .or(nameMatching(".*\\.MetaStore(\\$.*)?")))))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.sql..")
                .check(classes);
    }

    @Test
    void onlyTheEdgesPrint() {
        noClasses()
                .that(are(not(resideInAnyPackage("dev.longshore.cli..").or(simpleName("Main")))))
                .should()
                .accessField(System.class, "out")
                .check(classes);
    }

    @Test
    void nothingSleeps() {
        noClasses()
                .should()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(Thread.class, "sleep", java.time.Duration.class)
                .check(classes);
    }

    @Test
    void noStaticStateChanges() {
        fields().that().areStatic().should().beFinal().check(classes);
    }
}
