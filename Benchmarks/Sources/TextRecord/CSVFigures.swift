internal import BenchmarkSupport
internal import CBareMetal
internal import LogFigures
internal import Millrace
internal import MillraceInput

/// From CSV text to a feature arena, on one pinned core.
enum CSVFigures {
    /// Rows of the block of memory that features are written to, again and again: as a stage does.
    private static let blockRows = 512

    static func print(samples: Int) throws {
        precondition(bare_pin(Int32(Machine.cores - 1)) >= 0, "no such core")
        Swift.print("")
        Swift.print("| Text | Bytes a row | Features | Asked | To features | Fields alone |")
        Swift.print("| --- | --- | --- | --- | --- | --- |")
        for text in try CSVText.all {
            var encoded: [Double] = []
            var split: [Double] = []
            _ = try encode(text)
            for _ in 0..<samples {
                encoded.append(try encode(text))
                split.append(try self.split(text))
            }
            let rows = text.ends.count
            Swift.print(
                "| \(text.name), \(rows) rows | \(text.text.count / rows) | "
                    + "\(text.specification.width) | >= 300 | \(Spread(encoded)) MB/s | "
                    + "\(Spread(split)) MB/s |")
        }
    }

    /// Megabytes a second; every row has to be encoded.
    private static func encode(_ text: CSVText) throws -> Double {
        var encoder = RowEncoder(text.specification)
        let width = encoder.width
        var block = [Float](repeating: 0, count: blockRows * width)
        var rejected = 0
        let began = ContinuousClock.now
        var begin = 0
        var place = 0
        let all = text.text.span
        for (index, end) in text.ends.enumerated() {
            var target = block.mutableSpan
            var row = target._mutatingExtracting(place..<place + width)
            let outcome = encoder.encode(
                all.extracting(begin..<end), offset: UInt64(index), into: &row)
            if case .rejected = outcome { rejected += 1 }
            begin = end + 1
            place = place + width == blockRows * width ? 0 : place + width
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        guard rejected == 0 else { throw Rejected(rows: rejected) }
        return Double(text.text.count) / seconds / 1e6
    }

    private static func split(_ text: CSVText) throws -> Double {
        var fields = CSVFields()
        var count = 0
        let began = ContinuousClock.now
        var begin = 0
        let all = text.text.span
        for end in text.ends {
            try fields.split(all.extracting(begin..<end))
            count += fields.count
            begin = end + 1
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        guard count == text.ends.count * text.specification.columns.count else {
            throw Rejected(rows: count)
        }
        return Double(text.text.count) / seconds / 1e6
    }

    struct Rejected: Error { let rows: Int }
}
