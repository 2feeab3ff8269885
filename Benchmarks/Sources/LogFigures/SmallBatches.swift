internal import MillraceLog

/// What one thread alone needs to append a batch of one row by mapped stores, and to read it.
///
/// The times include the pages that are made ahead and the index; callgrind counts the
/// instructions.
public enum SmallBatches {
    /// Prints the medians over `rounds` of the time for one batch, `count` batches a round.
    public static func print(rounds: Int, count: Int = 20_000) throws {
        var appends: [Double] = []
        var reads: [Double] = []
        for _ in 0..<rounds {
            let log = try DigitLog(codec: .none)
            var writer = try log.topic.writer(partition: 0, mode: .mapped)
            var builder = BatchBuilder(columns: DigitRows.columns)
            func append() throws {
                var row = builder.addRows(1)
                for column in 0..<DigitRows.columns { row[column] = 1 }
                try writer.append(&builder)
            }
            // The first makes the segment and syncs, once.
            try append()
            appends.append(try time(count) { try append() })
            var reader = try log.topic.reader(partition: 0)
            var sum: Float = 0
            func read() throws {
                guard let batch = try reader.next() else {
                    throw Bare.Failure(description: "a batch is missing")
                }
                sum += batch.matrix[0]
            }
            try read()
            reads.append(try time(count) { try read() })
            guard sum == Float(count + 1) else {
                throw Bare.Failure(description: "the batches have other content")
            }
        }
        Swift.print("append, mapped, one row of \(DigitRows.rowBytes) bytes: \(Spread(appends)) ns")
        Swift.print("read of such a batch: \(Spread(reads)) ns")
    }

    private static func time(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
        let start = Bare.now()
        for _ in 0..<count { try body() }
        return Double(Bare.now() - start) / Double(count)
    }
}
