import FoundationEssentials
import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `millrace produce`, driven as scripts drive it.
@Suite struct ProduceCommandTests {
    private let bench: LogBench

    init() throws { bench = try LogBench() }

    // MARK: Bytes

    @Test func csvIntoBytes() throws {
        try bench.create("raw", "--bytes", "--partitions", "2")
        let file = try bench.write("r.csv", "id,name\n1,\"a,\"\"b\"\n\n2,\n")
        let outcome = try bench.produce("raw", "--from", file, "--key", "name")
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("Appended 2 rows, "))
        let rows = try bench.rows("raw")
        #expect(rows.count == 2)
        #expect(rows.contains { $0.value == Array("1,\"a,\"\"b\"".utf8) && $0.key == "a,\"b" })
        #expect(rows.contains { $0.value == Array("2,".utf8) && $0.key == nil })
        // As a file source leaves it for who encodes the rows.
        #expect(try bench.topic("raw").dictionaryText(1) == "columns:id\nname")
        let other = try bench.write("o.csv", "id,age\n1,2\n")
        try bench.produce("raw", "--from", other).expectError(
            65, "o.csv:1:1: topic 'raw' has other rows: csv with the columns id, name")
        #expect(try bench.rows("raw").count == 2)
    }

    /// What is produced is as good as what a source has read: the stages behind it do the rest.
    @Test func aPipelineGoesOn() throws {
        let workshop = try Workshop(Workshop.Parts(partitions: 2))
        for arguments in [
            ["topic", "create", "raw", "--bytes", "--partitions", "2"],
            ["produce", "raw", "--from", workshop.directory.file("rows.csv")],
        ] {
            let outcome = try ToolProcess.run(arguments + ["--data", workshop.data])
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        let stages = ["prepare", "learn", "predict"].flatMap { ["--stage", $0] }
        let outcome = try workshop.run(stages + ["--json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try RunSummary(json: outcome.output)
        #expect(summary.stages.last?.rowsWritten == Workshop.rows.count)
    }

    @Test func linesAndJSONIntoBytes() throws {
        try bench.create("log", "--bytes")
        #expect(try bench.pipe("a\n\n  b\r\nc", "log").code == 0)
        #expect(
            try bench.rows("log").map { String(decoding: $0.value, as: UTF8.self) }
                == ["a", "", "  b", "c"])
        try bench.create("json", "--bytes")
        let text = "{\"k\":\"x\\u0041\",\"v\":[1]}\n\n{\"k\":17}\n{\"v\":null}\n"
        #expect(try bench.pipe(text, "json", "--format", "jsonl", "--key", "k").code == 0)
        #expect(try bench.rows("json").map(\.key) == ["xA", "17", nil])
        try bench.pipe("[1,2]\n{\"a\":}\n", "json", "--format", "jsonl").expectError(
            65, "standard input:2:6: expected a value", "1 row before it is in topic 'json'")
    }

    // MARK: Features

    @Test func csvIntoFeatures() throws {
        try bench.create("f", "--features", "2", "--label")
        let file = try bench.write("r.csv.lz4", "y,a,k,b\n1,0.5,x,\n,-2e3,,inf\n", compressed: true)
        let arguments = ["--from", file, "--label", "y", "--key", "k", "--json"]
        let outcome = try bench.produce(["f"] + arguments)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let summary = try JSONValue(outcome.output)
        #expect(
            summary.names == [
                "topic", "format", "rows", "rowsAlreadyThere", "batches", "bytes", "seconds",
                "partitions",
            ])
        #expect(summary["partitions"]?.elements[0]["endOffset"]?.number == 2)
        let rows = try bench.rows("f")
        #expect(rows[0].features[0] == 0.5 && rows[0].features[1].isNaN && rows[0].label == 1)
        #expect(rows[1].features == [-2000, .infinity] && rows[1].label?.isNaN == true)
        #expect(rows.map(\.key) == ["x", nil])
    }

    @Test func jsonAndNumbersIntoFeatures() throws {
        try bench.create("f", "--features", "2", "--label")
        let text = """
            {"offset":7,"features":[1,null],"label":0.5,"key":"a"}
            {"features":["-inf",1e-3]}
            """
        #expect(try bench.pipe(text, "f", "--format", "jsonl").code == 0)
        let numbers: [Float] = [3, 4, 1, 5, 6, .nan]
        let file = try bench.write("n.f32", numbers.flatMap { $0.littleEndianBytes })
        #expect(try bench.produce("f", "--from", file).code == 0)
        let rows = try bench.rows("f")
        #expect(rows[0].features[0] == 1 && rows[0].features[1].isNaN)
        #expect(rows[0].label == 0.5 && rows[0].key == "a")
        #expect(rows[1].features == [-.infinity, 0.001] && rows[1].label?.isNaN == true)
        #expect(rows[2].features == [3, 4] && rows[2].label == 1)
        #expect(rows[3].features == [5, 6] && rows[3].label?.isNaN == true)
        let cut = try bench.write("c.f32", numbers.flatMap { $0.littleEndianBytes }.dropLast(1))
        try bench.produce("f", "--from", cut).expectError(
            65, "byte 12: expected records of 12 bytes, found 11", "1 row before it is")
        #expect(try bench.rows("f").count == 5)
    }

    // MARK: Spreading and durability

    @Test func partitioners() throws {
        let lines = (0..<10).map { "\($0)\n" }.joined()
        for (name, counts) in [("roundRobin", [4, 3, 3]), ("sticky", [10, 0, 0])] {
            try bench.create(name, "--bytes", "--partitions", "3")
            #expect(try bench.pipe(lines, name, "--partitioner", name).code == 0)
            #expect(
                try (0..<3).map { Int(try bench.topic(name).endOffset(partition: $0)) } == counts)
        }
        try bench.create("hash", "--bytes", "--partitions", "3")
        let csv = "k\n" + (0..<20).map { "key-\($0 % 5)\n" }.joined()
        #expect(try bench.pipe(csv, "hash", "--format", "csv", "--key", "k").code == 0)
        for row in try bench.rows("hash") {
            let key = Array((row.key ?? "").utf8)
            let partition = Murmur2.partition(forKey: key.span, count: 3)
            #expect(row.partition == partition)
        }
    }

    @Test(arguments: ["none", "interval", "batch"])
    func durability(_ durability: String) throws {
        try bench.create("t", "--bytes")
        let lines = String(repeating: "line\n", count: 9000)
        #expect(try bench.pipe(lines, "t", "--durability", durability).code == 0)
        let status = try bench.topic("t").status(partition: 0)
        #expect(status.endOffset == 9000)
        // What has not been waited for is not on the disk.
        #expect((status.unsyncedBytes > 0) == (durability == "none"))
    }

    // MARK: Refusals

    @Test func whatCannotWork() throws {
        try bench.create("raw", "--bytes")
        try bench.create("f", "--features", "2")
        try bench.create("p", "--predictions")
        try bench.pipe("", "rw").expectError(66, "did you mean 'raw'?")
        try bench.pipe("", "p").expectError(64, "holds predictions", "millrace score")
        try bench.pipe("", "raw", "--format", "f32").expectError(64, "f32 is for features")
        try bench.pipe("", "f", "--format", "lines").expectError(64, "lines are for bytes")
        try bench.pipe("", "f", "--label", "y").expectError(64, "has no labels")
        try bench.pipe("", "raw", "--key", "k").expectError(64, "lines has no names")
        try bench.pipe("", "raw", "--producer", "a/b").expectError(64, "a/b")
        try bench.pipe("", "f").expectError(65, "standard input:1:1: expected a line")
        try bench.pipe("a,b,c\n", "f").expectError(65, "3 columns of features", "--key and --label")
        try bench.pipe("a,bb\n", "f", "--key", "b").expectError(64, "'b'", "did you mean 'bb'?")
        try bench.pipe("a,a\n", "f").expectError(65, "'a' for columns 1 and 2")
        try bench.produce("f", "--from", "/nonexistent.csv").expectError(66, "/nonexistent.csv")
        #expect(try bench.produce("f", "--format", "xml").code == 64)
        #expect(try bench.produce().code == 64)
        #expect(try bench.topic("f").endOffset(partition: 0) == 0)
        // Nothing is no error.
        #expect(try bench.pipe("", "raw").code == 0)
        #expect(try bench.pipe("a,b\n", "f").code == 0)
    }

    @Test(arguments: [
        ("1,2\n3,x\n5,6\n", "standard input:3:3: 'x' in column 'b' is not a number"),
        ("1,2\n3\n", "standard input:3:2: 1 fields, where there are 2 columns"),
        ("1,2\n3,\"4\n", "standard input:3:3: a quoted field that does not end"),
        ("1,2\n\"3\"4,5\n", "standard input:3:1: text after a closing quote"),
        ("1,2\n3,0x10\n", "standard input:3:3: '0x10'"),
    ])
    func badRows(_ rows: String, _ message: String) throws {
        try bench.create("f", "--features", "2")
        try bench.pipe("a,b\n" + rows, "f").expectError(
            65, message, "1 row before it is in topic 'f', nothing behind it is.")
        #expect(try bench.rows("f").map(\.features) == [[1, 2]])
    }

    @Test func aDamagedFrame() throws {
        try bench.create("raw", "--bytes")
        let lines = (0..<100_000).map { "line \($0)\n" }.joined()
        let path = try bench.write("l.txt.lz4", lines, compressed: true)
        let whole = try Files.read(path, maxBytes: 1 << 24)
        let cut = try bench.write("cut.txt.lz4", whole.dropLast(whole.count / 2))
        let outcome = try bench.produce("raw", "--from", cut)
        outcome.expectError(65, "the end of the file: it was cut short", "rows before it are in")
        let rows = try bench.rows("raw")
        #expect(rows.count > 1000 && rows.count < 100_000)
        #expect(outcome.errors.contains("\(rows.count) rows"))
    }
}

extension Float {
    /// The number as a file has it.
    var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(bitPattern >> (8 * $0) & 0xFF) } }
}
