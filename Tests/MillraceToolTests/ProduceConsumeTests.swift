import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// What is produced is what is consumed, in every format and for every element type.
@Suite struct ProduceConsumeTests {
    private let bench: LogBench
    private var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))

    init() throws { bench = try LogBench() }

    // MARK: Bytes

    @Test mutating func lines() throws {
        try bench.create("t", "--bytes")
        var text: [UInt8] = []
        for _ in 0..<5000 {
            for _ in 0..<random.next() % 40 {
                let byte = UInt8(truncatingIfNeeded: random.next())
                if byte != 10, byte != 13 { text.append(byte) }
            }
            text.append(10)
        }
        let file = try bench.write("t.txt", text)
        #expect(try bench.produce("t", "--from", file).code == 0)
        let same = try bench.shell("\"$0\" consume t --format raw | cmp - '\(file)'")
        #expect(same.code == 0, "\(same.output)\(same.errors)")
        // As JSON, every line is one document that says the same, what is no UTF-8 aside.
        let documents = try bench.consume("t").split(separator: "\n")
        let values = try documents.map { try JSONValue(String($0))["value"] }
        #expect(
            values
                == text.dropLast().split(separator: 10, omittingEmptySubsequences: false)
                .map { .text(String(decoding: $0, as: UTF8.self)) })
    }

    @Test func csv() throws {
        try bench.create("t", "--bytes")
        let text = "id,\"a,b\",c\n1,\"x \"\"y\"\"\",\n2,,é\n"
        #expect(try bench.pipe(text, "t", "--format", "csv").code == 0)
        #expect(try bench.consume("t", "--format", "csv") == text)
        try bench.create("u", "--bytes")
        #expect(try bench.pipe("a,b\n\"\n", "u").code == 0)
        let time = try #require(
            try JSONValue(
                String(bench.consume("u").split(separator: "\n")[0]))["timestamp"]?.number)
        let lines = try bench.consume("u", "--format", "csv").split(separator: "\n")
        #expect(lines[0] == "partition,offset,timestamp,key,value")
        #expect(lines[1].hasPrefix("0,0,") && lines[1].hasSuffix(",,\"a,b\""))
        #expect(lines[2].hasSuffix(",,\"\"\"\"") && time > 1e18)
    }

    @Test func json() throws {
        try bench.create("t", "--bytes", "--partitions", "2")
        let text = "{\"k\":\"\\u00e9\\t\\\"\",\"v\":[1,2.50]}\n[]\n\"x\"\n"
        #expect(try bench.pipe(text, "t", "--format", "jsonl").code == 0)
        #expect(try bench.consume("t", "--format", "raw") == text)
        #expect(
            try bench.pipe("{\"k\":\"\\u00e9\\t\\\"\"}", "t", "--format", "jsonl", "--key", "k")
                .code == 0)
        let keyed = try bench.consume("t").split(separator: "\n").map { try JSONValue(String($0)) }
        #expect(keyed.filter { $0["key"] == .text("é\t\"") }.count == 1)
        #expect(keyed.allSatisfy { $0["key"] == nil || $0.names.count == 5 })
    }

    // MARK: Features

    /// A number that the element type can say.
    private mutating func number(_ type: ElementType) -> Float {
        let bits = UInt32(truncatingIfNeeded: random.next())
        switch type {
        case .float32: return random.next() % 5 == 0 ? Float(bits % 100) : Float(bitPattern: bits)
        case .float16: return Float(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))
        case .bfloat16: return Float(bitPattern: bits << 16)
        case .uint8: return (Float(bits & 0xFF) - 3) * 0.5
        case .int8: return (Float(Int8(truncatingIfNeeded: bits)) - 3) * 0.5
        }
    }

    private func expectSame(
        _ left: [LogBench.Row], _ right: [LogBench.Row], keys: Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        func bits(_ value: Float) -> UInt32 { value.isNaN ? 0x7FC0_0000 : value.bitPattern }
        let pairs = zip(left, right)
        let isSame = pairs.allSatisfy { a, b in
            a.partition == b.partition && a.offset == b.offset
                && a.features.map(bits) == b.features.map(bits)
                && a.label.map(bits) == b.label.map(bits) && (!keys || a.key == b.key)
        }
        #expect(isSame && left.count == right.count, sourceLocation: sourceLocation)
    }

    @Test(arguments: [ElementType.float32, .float16, .bfloat16, .uint8, .int8])
    mutating func features(_ type: ElementType) throws {
        let columns = 7
        let integers = type == .uint8 || type == .int8
        let options =
            ["--features", "\(columns)", "--label", "--dtype", type.rawValue]
            + (integers ? ["--scale", "0.5", "--zero-point", "3"] : [])
        var names: [String] = []
        func create(_ name: String) throws {
            let outcome = try bench.tool(["topic", "create", name] + options)
            try #require(outcome.code == 0, "\(outcome.errors)")
            names.append(name)
        }
        for name in ["first", "csv", "jsonl", "f32"] { try create(name) }
        let numbers = (0..<3000 * (columns + 1)).map { index in
            index % (columns + 1) == columns ? Float(index % 3) : number(type)
        }
        let file = try bench.write("n.f32", numbers.flatMap(\.littleEndianBytes))
        #expect(try bench.produce("first", "--from", file).code == 0)
        let rows = try bench.rows("first")
        try #require(rows.count == 3000)
        for (index, row) in rows.enumerated() {
            let expected = numbers[index * (columns + 1)..<(index + 1) * (columns + 1)]
            #expect(
                zip(row.features + [row.label ?? 9], expected).allSatisfy {
                    $0 == $1 || $0.isNaN && $1.isNaN
                })
        }
        for format in names.dropFirst() {
            let from = format == "f32" ? "raw" : format
            let command = """
                "$0" consume first --format \(from) | "$0" produce \(format) --format \(format)
                """
            let outcome = try bench.shell(command)
            #expect(outcome.code == 0, "\(outcome.errors)")
            expectSame(try bench.rows(format), rows, keys: true)
        }
    }

    @Test func keysAndMissingLabels() throws {
        try bench.create("a", "--features", "1", "--label", "--partitions", "3")
        try bench.create("b", "--features", "1", "--label", "--partitions", "3")
        let text = """
            k,x,label
            one,1,
            ,2,0.5
            "t,\"\"w",,1

            """
        #expect(try bench.pipe(text, "a", "--key", "k").code == 0)
        let copied = try bench.shell(
            "\"$0\" consume a | \"$0\" produce b --format jsonl --partitioner hash")
        #expect(copied.code == 0, "\(copied.errors)")
        let (a, b) = (try bench.rows("a"), try bench.rows("b"))
        let keys = Set(a.map { $0.key ?? "-" })
        #expect(keys == ["one", "-", "t,\"w"] && Set(b.map { $0.key ?? "-" }) == keys)
        for row in b where row.key != nil {
            #expect(a.contains { $0.key == row.key && $0.partition == row.partition })
        }
        #expect(a.compactMap(\.label).count { $0.isNaN } == 1)
    }

    /// One column whose field is empty is a missing value and no blank line.
    @Test func oneColumn() throws {
        try bench.create("a", "--features", "1")
        #expect(try bench.pipe("x\n1\n\n3\n", "a").code == 0)
        #expect(try bench.consume("a", "--format", "csv") == "f0\n1\n\n3\n")
        #expect(try bench.consume("a", "--format", "csv", "--max", "0") == "f0\n")
    }
}
