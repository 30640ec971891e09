import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.BrandsApi;
import org.openapitools.client.api.ConnectionsApi;
import org.openapitools.client.api.DeliveriesApi;
import org.openapitools.client.api.EventsApi;
import org.openapitools.client.api.SandboxApi;
import org.openapitools.client.api.WebhooksApi;
import org.openapitools.client.model.*;

/**
 * The whole way of a retailer with the client that OpenAPI Generator makes: HUB RECEIVER NAME. It prints what the test
 * compares with what the hub keeps.
 */
public final class Flow {
    private Flow() {}

    /** What `read` returns once it fits. */
    private static <T> T until(Callable<T> read, Predicate<T> fits) throws Exception {
        for (int tries = 0; tries < 300; tries++) {
            T value = read.call();
            if (fits.test(value)) {
                return value;
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException("it did not come");
    }

    private static NewWindow hours(int first, int last) {
        OffsetDateTime tomorrow = OffsetDateTime.now(ZoneOffset.UTC).plusDays(1);
        return new NewWindow().start(tomorrow.plusHours(first)).end(tomorrow.plusHours(last));
    }

    private static NewDelivery plain(String connection, NewDeliveryOrder promise) {
        return new NewDelivery(new NewPlainDelivery().connection(connection).delivery(promise));
    }

    private static DeliveryChange change(DeliveryOrderChange change) {
        return new DeliveryChange(new PlainDeliveryChange().delivery(change));
    }

    private static NewDeliveryOrder promise(NewWindow window) {
        return new NewDeliveryOrder().entrance("garage").place("shelf").carrier("Colissimo").window(window);
    }

    private static void consent(String page, String code) throws Exception {
        HttpClient browser = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        String form = "code=" + URLEncoder.encode(code, StandardCharsets.UTF_8);
        HttpRequest post = HttpRequest.newBuilder(URI.create(page))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form)).build();
        int status = browser.send(post, HttpResponse.BodyHandlers.discarding()).statusCode();
        if (status != 200) {
            throw new IllegalStateException("the consent page answers " + status);
        }
    }

    /** A proof, once there is one. */
    private static Proof proof(DeliveriesApi deliveries, String id) throws ApiException {
        try {
            return deliveries.readProof(id);
        } catch (ApiException refused) {
            if (refused.getCode() == 404 || refused.getCode() == 409) {
                return null;
            }
            throw refused;
        }
    }

    private static List<Integer> eventsByPages(EventsApi api, ObjectMapper json) throws ApiException {
        List<Integer> events = new ArrayList<>();
        String cursor = null;
        do {
            Events page = api.listEvents(5, cursor, null, null, null);
            page.getData().forEach(event -> events.add(json.valueToTree(event.getActualInstance()).get("seq").asInt()));
            cursor = page.getNext();
        } while (cursor != null);
        return events;
    }

    public static void main(String[] words) throws Exception {
        String hub = words[0];
        String receiver = words[1];
        String name = words[2];
        ObjectMapper json = new ObjectMapper();

        ApiClient anybody = new ApiClient();
        anybody.updateBaseUri(hub);
        Sandbox sandbox = new SandboxApi(anybody).createSandbox();
        ApiClient client = new ApiClient();
        client.updateBaseUri(hub);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + sandbox.getApiKey()));

        ConnectionsApi connections = new ConnectionsApi(client);
        Brand brand = new BrandsApi(client).createBrand(new NewBrand().id(name).name("Maison " + name), null);
        NewAskedTerms terms = new NewAskedTerms().carriers(List.of("Colissimo")).hubSigned(true);
        CreatedConnection asked = connections.createConnection(new NewConnection().brand(brand.getId()).asked(terms), null);
        consent(asked.getConsentUrl(), sandbox.getSupportCode());
        Connection connection = until(
            () -> connections.readConnection(asked.getId()), one -> one.getState() == Connection.StateEnum.GRANTED);

        WebhooksApi webhooks = new WebhooksApi(client);
        String endpoint = webhooks.createWebhookEndpoint(new NewWebhookEndpoint().url(receiver + "/ok/" + name), null).getId();
        until(() -> webhooks.readWebhookEndpoint(endpoint), one -> one.getVerified());

        NewWindow window = hours(0, 2);
        Availability available = connections.readAvailability(
            connection.getId(), window.getStart(), window.getEnd(), "garage", "shelf");

        DeliveriesApi deliveries = new DeliveriesApi(client);
        NewDelivery first = plain(connection.getId(), promise(window).name(name + "-1"));
        CreatedDelivery made = deliveries.createDelivery(first, name + "-1");
        ApiResponse<CreatedDelivery> repeated = deliveries.createDeliveryWithHttpInfo(first, name + "-1");
        Delivery labelled = deliveries.changeDelivery(made.getId(), change(new DeliveryOrderChange().parcels(Set.of("SANDBOX-WAITS"))));
        Delivery scheduled = until(() -> deliveries.readDelivery(made.getId()),
            one -> one.getState() == DeliveryState.SCHEDULED && labelled.getVersion().equals(one.getAnswered()));
        Delivery changed = deliveries.changeDelivery(made.getId(), change(new DeliveryOrderChange().window(hours(1, 4))));
        until(() -> deliveries.readDelivery(made.getId()), one -> changed.getVersion().equals(one.getAnswered()));
        deliveries.cancelDelivery(made.getId(), new Cancellation(), null);
        Delivery cancelled = until(
            () -> deliveries.readDelivery(made.getId()), one -> one.getState() == DeliveryState.CANCELLED);

        NewDelivery labelledAtOnce = plain(connection.getId(), promise(window).parcels(Set.of("8L20524752032")));
        CreatedDelivery second = deliveries.createDelivery(labelledAtOnce, null);
        Delivery delivered = until(
            () -> deliveries.readDelivery(second.getId()), one -> one.getState() == DeliveryState.DELIVERED);
        Proof proof = until(() -> proof(deliveries, second.getId()), one -> one != null);
        Timeline timeline = deliveries.readTimeline(second.getId(), null, null);
        List<Integer> events = eventsByPages(new EventsApi(client), client.getObjectMapper());

        WebhookMessages log = until(
            () -> webhooks.listWebhookMessages(endpoint, 100, null),
            page -> page.getData().stream().allMatch(one -> one.getState() == WebhookMessage.StateEnum.DELIVERED));
        String message = log.getData().get(0).getId();
        webhooks.replayWebhookMessage(endpoint, message, null);

        String problem = "none";
        try {
            deliveries.readDelivery("dlv-none");
        } catch (ApiException refused) {
            problem = json.readTree(refused.getResponseBody()).get("code").asText();
        }
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("possible", available.getPossible());
        told.put("states", List.of(made.getState().getValue(), scheduled.getState().getValue(),
            cancelled.getState().getValue(), delivered.getState().getValue()));
        told.put("versions", List.of(made.getVersion(), labelled.getVersion(), changed.getVersion()));
        told.put("repeated", repeated.getData().getId().equals(made.getId())
            && repeated.getHeaders().get("idempotent-replayed").equals(List.of("true")));
        told.put("parcels", proof.getParcels());
        told.put("timeline", timeline.getData().stream().map(step -> step.getState().getValue()).collect(Collectors.toList()));
        told.put("events", events);
        told.put("replayed", message);
        told.put("problem", problem);
        System.out.println(json.writeValueAsString(told));
    }
}
