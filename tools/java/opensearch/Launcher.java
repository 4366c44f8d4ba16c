import java.nio.file.Path;
import org.codelibs.opensearch.runner.OpenSearchRunner;
import org.opensearch.Version;

/**
 * One OpenSearch node that listens on the loopback only: {@code Launcher FOLDER HTTP TRANSPORT}.
 *
 * <p>It runs in the foreground until it is told to end, so that whoever started it keeps it.
 */
public final class Launcher {
    private static final int BAD_USAGE = 2;

    private Launcher() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 1 && arguments[0].equals("--version")) {
            System.out.println("OpenSearch " + Version.CURRENT);
            return;
        }
        if (arguments.length != 3) {
            System.err.println("usage: opensearch FOLDER HTTP_PORT TRANSPORT_PORT | --version");
            System.exit(BAD_USAGE);
        }
        run(Path.of(arguments[0]).toAbsolutePath(), arguments[1], arguments[2]);
    }

    private static void run(Path folder, String http, String transport) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild(
                (number, settings) -> {
                    settings.put("node.name", "abops-1");
                    settings.put("network.host", "127.0.0.1");
                    settings.put("http.port", http);
                    settings.put("transport.port", transport);
                    settings.put("discovery.type", "single-node");
                    settings.putList("node.roles", "cluster_manager", "data", "ingest");
                    // A developer's disk is often nearly full, and one node has nowhere to move to.
                    settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
                    settings.put("action.auto_create_index", "logs-*");
                });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.build(
                OpenSearchRunner.newConfigs()
                        .basePath(folder.toString())
                        .clusterName("abops")
                        .numOfNode(1)
                        .useLogger());
        Thread.currentThread().join();
    }

    private static void close(OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (Exception error) {
            System.err.println("closing failed: " + error);
        }
    }
}
