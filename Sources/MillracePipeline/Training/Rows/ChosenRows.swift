/// Some partitions of a topic that is learnt from, counted from 0 in their own order.
struct ChosenRows: TrainingRows {
    private let all: any TrainingRows
    private let numbers: [Int]

    /// - Throws: `usage` when the topic has no partition of one of the numbers.
    init(_ numbers: [Int], of all: any TrainingRows) throws(PipelineError) {
        if let number = numbers.first(where: { !(0..<all.partitions).contains($0) }) {
            throw PipelineError(
                .usage,
                "topic '\(all.name)' has partitions 0 to \(all.partitions - 1), not \(number)")
        }
        self.all = all
        self.numbers = numbers
    }

    var name: String { all.name }
    var identity: UInt64 { all.identity }
    var partitions: Int { numbers.count }
    var features: Int { all.features }
    var placeBits: Int { all.placeBits }

    func number(of partition: Int) -> Int { all.number(of: numbers[partition]) }

    func reader(of partition: Int, from position: UInt64) throws -> any RowReader {
        try all.reader(of: numbers[partition], from: position)
    }
}
