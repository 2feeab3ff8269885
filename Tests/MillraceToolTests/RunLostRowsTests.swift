import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Stages whose source rows retention has removed before they were read.
@Suite struct RunLostRowsTests {
    /// Appends rows to the topic that the score stage reads.
    private func append(_ rows: Int, to topic: Topic) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 2)
        for row in 0..<rows {
            var target = builder.nextRow()
            target[0] = Float(row % 7)
            target[1] = 1
            builder.commitRow(label: 0)
        }
        try writer.append(&builder)
    }

    /// All that is there is too old; what comes afterwards stays.
    private func removeAllRows(of data: DataDirectory) throws {
        _ = try data.alterTopic(
            "rows", TopicAlteration(retention: RetentionPolicy(milliseconds: 1)))
        PinnedThread.sleep(nanoseconds: 20_000_000)
        try data.topic("rows").applyRetention()
        _ = try data.alterTopic("rows", TopicAlteration(retention: .keep))
    }

    @Test func rowsThatAreLostAreNotPassedOver() throws {
        let workshop = try Workshop()
        #expect(try workshop.run().code == 0)
        let data = try DataDirectory(workshop.data, create: false)
        try append(40, to: data.topic("rows"))
        try removeAllRows(of: data)
        try append(20, to: data.topic("rows"))
        #expect(try data.topic("rows").startOffset(partition: 0) == 100)

        let predict = ["--stage", "predict"]
        let scores = try data.topic("scores")
        try workshop.run(predict).expectError(
            65, "stage \"predict\" cannot go on where it was", "40 rows before it are gone",
            "millrace group reset predict rows --to earliest")
        #expect(try scores.endOffset(partition: 0) == 60)

        let reset = try ToolProcess.run(
            ["group", "reset", "predict", "rows", "--to", "earliest", "--data", workshop.data])
        #expect(reset.output == "rows/0 goes on at 100.\n")
        #expect(try workshop.run(predict).code == 0)
        #expect(try scores.endOffset(partition: 0) == 80)
        var reader = try scores.reader(partition: 0)
        var sources: [UInt64] = []
        while let batch = try reader.next() {
            for row in 0..<batch.rows { sources.append(batch.sourceOffset(row)) }
        }
        #expect(sources == Array(0..<60) + Array(100..<120))
    }

    @Test func aTrainerDoesNotPassOverRowsThatAreLost() throws {
        let workshop = try Workshop()
        #expect(try workshop.run().code == 0)
        let data = try DataDirectory(workshop.data, create: false)
        try append(40, to: data.topic("rows"))
        try removeAllRows(of: data)
        try append(20, to: data.topic("rows"))

        let learn = ["--stage", "learn"]
        let checkpoint = workshop.data + "/groups/learn/checkpoint"
        let before = try Files.read(checkpoint, maxBytes: 1 << 20)
        try workshop.run(learn).expectError(
            65, "stage \"learn\" cannot go on where it was", "40 rows before it are gone",
            "remove \(checkpoint)")
        #expect(try Files.read(checkpoint, maxBytes: 1 << 20) == before)
        try Files.removeTree(checkpoint)
        #expect(try workshop.run(learn).code == 0)
    }

    @Test func aStageBeginsWithTheRowsThatAreThere() throws {
        let workshop = try Workshop()
        #expect(try workshop.run().code == 0)
        let data = try DataDirectory(workshop.data, create: false)
        try removeAllRows(of: data)
        try append(20, to: data.topic("rows"))
        // As if the stage had never run.
        try Files.removeTree(workshop.data + "/topics/scores")
        #expect(try workshop.run(["--stage", "predict"]).code == 0)
        #expect(try data.topic("scores").endOffset(partition: 0) == 20)
    }
}
