import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.Map;
import org.eclipse.edc.connector.dataplane.spi.Endpoint;
import org.eclipse.edc.connector.dataplane.spi.iam.DataPlaneAuthorizationService;
import org.eclipse.edc.connector.dataplane.spi.iam.PublicEndpointGeneratorService;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;
import org.eclipse.edc.web.spi.WebService;
import org.eclipse.edc.web.spi.configuration.PortMapping;
import org.eclipse.edc.web.spi.configuration.PortMappingRegistry;

/**
 * What an operator of EDC has to bring for HttpData-PULL since its own public endpoint was taken out: keys in the vault,
 * and an address that checks a data plane token and passes the source on.
 */
public class PullEndpoint implements ServiceExtension {
    private static final String CONTEXT = "public";

    @Inject
    private Vault vault;
    @Inject
    private PortMappingRegistry ports;
    @Inject
    private WebService web;
    @Inject
    private PublicEndpointGeneratorService endpoints;
    @Inject
    private DataPlaneAuthorizationService authorization;

    @Override
    public void initialize(ServiceExtensionContext context) {
        var port = context.getSetting("web.http.public.port", 0);
        ports.register(new PortMapping(CONTEXT, port, "/public"));
        endpoints.addGeneratorFunction("HttpData", address -> Endpoint.url("http://127.0.0.1:" + port + "/public"));
        web.registerResource(CONTEXT, new Source(authorization));
        seed(context);
    }

    private void seed(ServiceExtensionContext context) {
        try {
            var generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            var keys = generator.generateKeyPair();
            var pem = Base64.getMimeEncoder(64, "\n".getBytes());
            vault.storeSecret("private-key",
                "-----BEGIN PRIVATE KEY-----\n" + pem.encodeToString(keys.getPrivate().getEncoded()) + "\n-----END PRIVATE KEY-----\n");
            vault.storeSecret("public-key",
                "-----BEGIN PUBLIC KEY-----\n" + pem.encodeToString(keys.getPublic().getEncoded()) + "\n-----END PUBLIC KEY-----\n");
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** The data, for who holds a token of the data plane. */
    @Path("/")
    public static class Source {
        private final DataPlaneAuthorizationService authorization;

        Source(DataPlaneAuthorizationService authorization) {
            this.authorization = authorization;
        }

        @GET
        public Response get(@HeaderParam("Authorization") String token) throws Exception {
            if (token == null) {
                return Response.status(401).build();
            }
            var address = authorization.authorize(token.replaceFirst("^Bearer ", ""), Map.of());
            if (address.failed()) {
                return Response.status(403).entity(address.getFailureDetail()).build();
            }
            var source = URI.create(address.getContent().getStringProperty("baseUrl"));
            var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(source).build(), HttpResponse.BodyHandlers.ofByteArray());
            return Response.status(answer.statusCode()).type("application/octet-stream").entity(answer.body()).build();
        }
    }
}
