import MillraceSystem

/// Inputs to begin with, and changes to them.
enum Corpus {
    /// The intact bytes of every file, applied in every way.
    static func inputs(_ bench: Bench) -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for (index, template) in bench.templates.enumerated() {
            for target in Target.allCases where target != .directory {
                guard let path = template.file(of: target), let content = template.files[path]
                else { continue }
                let header = min(Checksums.segmentHeaderBytes, content.count)
                let bytes =
                    switch target {
                    case .batch: content[header...]
                    case .segment: content[..<header]
                    default: content[...]
                    }
                for (fixes, restarts, truncates) in [
                    (false, false, false), (true, false, false), (false, true, false),
                    (true, true, true),
                ] {
                    inputs.append(
                        Input.header(
                            target, template: index, fixes: fixes, restarts: restarts,
                            truncates: truncates) + bytes)
                }
            }
            let paths = template.files.keys.count
            for restarts in [false, true] {
                for file in 0..<paths {
                    for operation in 0..<4 {
                        inputs.append(
                            Input.header(.directory, template: index, restarts: restarts)
                                + [UInt8(file << 2 | operation), 64, 1, 4])
                    }
                }
            }
        }
        return inputs
    }

    private static let interesting: [UInt8] = [0, 1, 2, 4, 7, 16, 63, 64, 127, 128, 254, 255]

    /// Changes one to six places of an input behind its header, sometimes its way of being applied.
    static func mutate(_ input: inout [UInt8], _ random: inout SplitMix64) {
        if random.next() % 4 == 0 { input[1] = UInt8(random.next() & 31) }
        for _ in 0...Int(random.next() % 6) {
            guard input.count > Input.headerBytes else { return }
            let room = UInt64(input.count - Input.headerBytes)
            let at = Input.headerBytes + Int(random.next() % room)
            switch random.next() % 8 {
            case 0: input[at] = interesting[Int(random.next() % UInt64(interesting.count))]
            case 1: input[at] = UInt8(random.next() & 0xFF)
            case 2: input[at] = input[at] &+ 1
            case 3: input.insert(UInt8(random.next() & 0xFF), at: at)
            case 4: input.remove(at: at)
            case 5:
                let from = Input.headerBytes + Int(random.next() % room)
                for step in 0..<min(8, input.count - max(at, from)) {
                    input[at + step] = input[from + step]
                }
            case 6 where random.next() % 8 == 0: input.removeSubrange(at...)
            default: input[at] ^= 1 << UInt8(random.next() % 8)
            }
        }
    }
}
