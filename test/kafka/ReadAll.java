import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** Prints key and value of every record of a topic, partition by partition, as the reference client sees them. */
public class ReadAll {
  public static void main(String[] args) throws Exception {
    var settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("isolation.level", args[2]);
    settings.put("enable.auto.commit", "false");
    for (var side : List.of("key", "value"))
      settings.put(side + ".deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    var out = new PrintStream(System.out, false, "UTF-8");
    try (var consumer = new KafkaConsumer<String, String>(settings)) {
      for (var info : consumer.partitionsFor(args[1])) {
        var partition = List.of(new TopicPartition(args[1], info.partition()));
        consumer.assign(partition);
        consumer.seekToBeginning(partition);
        long end = consumer.endOffsets(partition).get(partition.get(0));
        while (consumer.position(partition.get(0)) < end)
          for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200)))
            out.print(record.key() + "\t" + record.value() + "\n");
      }
    }
    out.flush();
  }
}
