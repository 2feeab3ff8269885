import MillraceInput
import MillraceSystem
import Testing

/// What splitting a line must give: the values, or the fault.
private func naiveSplit(_ line: [UInt8]) -> Result<[[UInt8]], CSVFault> {
    enum State { case start, plain, quoted, quoteInQuoted }
    var state = State.start
    var values: [[UInt8]] = []
    var value: [UInt8] = []
    for byte in line {
        switch (state, byte) {
        case (.start, 0x22): state = .quoted
        case (.start, 0x2C), (.plain, 0x2C), (.quoteInQuoted, 0x2C):
            values.append(value)
            value = []
            state = .start
        case (.start, _), (.plain, _):
            value.append(byte)
            state = .plain
        case (.quoted, 0x22): state = .quoteInQuoted
        case (.quoted, _): value.append(byte)
        case (.quoteInQuoted, 0x22):
            value.append(byte)
            state = .quoted
        case (.quoteInQuoted, _): return .failure(.textAfterQuote)
        }
    }
    if state == .quoted { return .failure(.unclosedQuote) }
    values.append(value)
    return .success(values)
}

private func split(_ fields: inout CSVFields, _ line: [UInt8]) -> Result<[[UInt8]], CSVFault> {
    do throws(CSVFault) {
        try fields.split(line.span)
    } catch {
        return .failure(error)
    }
    let ranges = (0..<fields.count).map { fields[$0] }
    var text: [UInt8] = []
    fields.unescape(line.span, into: &text)
    let values = (0..<fields.count).map { Array(text[fields[$0].range]) }
    for (field, value) in zip(ranges, values) where !field.hasDoubledQuotes {
        #expect(Array(line[field.range]) == value)
    }
    return .success(values)
}

@Suite("Fields of a line")
struct CSVFieldsTests {
    @Test(arguments: Seeds.all)
    func agreeWithANaiveSplitOnAnything(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var fields = CSVFields()
        for _ in 0..<3000 {
            let line = (0..<random.number(in: 0...14)).map { _ in
                random.pick([0x22, 0x22, 0x2C, 0x2C, 0x61, 0x20, 0xC3] as [UInt8])
            }
            let found = split(&fields, line)
            let expected = naiveSplit(line)
            #expect(found == expected, "\(line)")
        }
    }

    @Test(arguments: Seeds.all)
    func giveBackWhatWasQuoted(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var fields = CSVFields()
        for _ in 0..<500 {
            let values = (0..<random.number(in: 1...9)).map { _ in
                (0..<random.number(in: 0...6)).map { _ in
                    random.pick([0x22, 0x2C, 0x61, 0xF0, 0x0D] as [UInt8])
                }
            }
            var line: [UInt8] = []
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(0x2C) }
                line.append(0x22)
                for byte in value { line += byte == 0x22 ? [0x22, 0x22] : [byte] }
                line.append(0x22)
            }
            #expect(split(&fields, line) == .success(values))
        }
    }

    @Test func headersAreChecked() throws {
        func header(_ text: String) throws(InputError) -> [String] {
            try CSVHeader(line: Array(text.utf8).span, path: "f.csv").names
        }
        #expect(try header("a,\"b\"\"c\",d e") == ["a", "b\"c", "d e"])
        for bad in ["a,,b", "", "a,b,a", "a,\"b", "\"a\"b"] {
            let error = #expect(throws: InputError.self) { try header(bad) }
            #expect(error?.code == .invalidHeader)
            #expect(error?.line == 1)
        }
        let binary: [UInt8] = [0x61, 0x2C, 0xFF]
        #expect(throws: InputError.self) { try CSVHeader(line: binary.span, path: "f.csv") }
    }
}
