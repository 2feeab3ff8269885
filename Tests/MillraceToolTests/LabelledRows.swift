import Millrace
import MillraceSystem
import MillraceTestSupport

/// Rows to learn from that follow from their offsets.
enum LabelledRows {
    /// Appends rows to both partitions of topic `rows`, in batches of about a step.
    static func append(_ rows: Range<Int>, width: Int, to data: String) throws {
        let topic = try DataDirectory(data, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                partitions: 2, kind: .features, features: width, label: true))
        for partition in 0..<2 {
            var writer = try topic.writer(partition: partition)
            for first in stride(from: rows.lowerBound, to: rows.upperBound, by: 100) {
                var builder = BatchBuilder(columns: width)
                for offset in first..<min(first + 100, rows.upperBound) {
                    var random = SplitMix64(seed: UInt64(partition) << 32 | UInt64(offset))
                    let numbers = (0..<width).map { _ in Float(random.unit() * 4 - 2) }
                    do {
                        var row = builder.nextRow()
                        for i in 0..<width { row[i] = numbers[i] }
                    }
                    builder.commitRow(label: numbers[0] + numbers[1] * numbers[2] > 0 ? 1 : 0)
                }
                try writer.append(&builder)
            }
            try writer.close()
        }
    }
}
