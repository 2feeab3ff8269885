internal import MillraceLog

/// Brings predictions together with the labels of their source rows, partition by partition.
struct PredictionJoin {
    var judge: PredictionJudge
    private(set) var rows = 0
    private(set) var nullRows = 0
    private(set) var versions: [Int: Int] = [:]

    /// Outputs a row that the judge expects.
    private let columns: Int
    private(set) var rowsNotJudged = 0

    init(judge: PredictionJudge, columns: Int) {
        self.judge = judge
        self.columns = columns
    }

    mutating func read(_ output: Topic, _ source: Topic, _ partition: Int) throws {
        var predictions = try output.reader(partition: partition)
        var labels = try LabelWindow(source, partition)
        while true {
            guard let batch = try predictions.next() else { break }
            guard batch.rows > 0, let origin = batch.origin else { continue }
            rows += batch.rows
            versions[Int(origin.modelVersion), default: 0] += batch.rows
            guard columns > 0, batch.columns == columns else {
                rowsNotJudged += batch.rows
                continue
            }
            try labels.reach(origin.end)
            let matrix = batch.matrix
            for index in 0..<batch.rows {
                if batch.mark(index) != 0 {
                    nullRows += 1
                    continue
                }
                guard let label = labels.label(at: batch.sourceOffset(index)), !label.isNaN else {
                    continue
                }
                let start = index * batch.stride
                judge.add(matrix.extracting(start..<start + batch.columns), label: label)
            }
            labels.forget(before: origin.end)
        }
    }
}

/// The labels of source rows around the offset that a reader of predictions has reached.
private struct LabelWindow: ~Copyable {
    private var reader: PartitionReader
    private var labels: [Float] = []
    /// Offset of the first label kept.
    private var first: UInt64

    init(_ topic: Topic, _ partition: Int) throws(LogError) {
        var opened = try topic.reader(partition: partition)
        first = try opened.startOffset
        reader = opened
    }

    /// Reads on until the label before `offset` is there.
    mutating func reach(_ offset: UInt64) throws(LogError) {
        while first + UInt64(labels.count) < offset {
            guard let batch = try reader.next() else { return }
            // Offsets that a crash of the machine left out have no label.
            while first + UInt64(labels.count) < batch.baseOffset { labels.append(.nan) }
            let given = batch.labels
            for index in 0..<batch.rows { labels.append(batch.hasLabels ? given[index] : .nan) }
        }
    }

    func label(at offset: UInt64) -> Float? {
        guard offset >= first, offset < first + UInt64(labels.count) else { return nil }
        return labels[Int(offset - first)]
    }

    mutating func forget(before offset: UInt64) {
        guard offset > first else { return }
        let count = min(labels.count, Int(offset - first))
        labels.removeFirst(count)
        first += UInt64(count)
    }
}
