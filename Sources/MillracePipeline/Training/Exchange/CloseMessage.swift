internal import MillraceModels
internal import MillraceSystem

/// Whose contributions make the average of a round.
///
/// Little-endian: number of trainers, and of each its life, the bytes of its name and the name; then
/// the shares of trainers that took part before and not in this round (`TrainerShare`).
struct CloseMessage: Equatable {
    /// By names ascending, at least one.
    var trainers: [TrainerID]
    /// As bytes.
    var others: [UInt8]

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(trainers.count))
        for trainer in trainers {
            bytes.append(littleEndian: trainer.life)
            bytes.append(littleEndian: UInt64(trainer.name.utf8.count))
            bytes += trainer.name.utf8
        }
        return bytes + others
    }

    init(trainers: [TrainerID], others: [UInt8]) {
        self.trainers = trainers
        self.others = others
    }

    /// A message from bytes; nil when they are none.
    init?(_ bytes: [UInt8]) {
        var at = 0
        func number() -> UInt64? {
            guard bytes.count - at >= 8 else { return nil }
            defer { at += 8 }
            return bytes.number(at: at)
        }
        guard let count = number(), (1...UInt64(TrainerShare.maxTrainers)).contains(count)
        else { return nil }
        trainers = []
        for _ in 0..<count {
            guard let life = number(), let length = number(),
                length <= UInt64(min(bytes.count - at, Names.maxLength)),
                let name = String(validating: bytes[at..<at + Int(length)], as: UTF8.self),
                Names.isValid(name), name > trainers.last?.name ?? ""
            else { return nil }
            at += Int(length)
            trainers.append(TrainerID(name: name, life: life))
        }
        others = Array(bytes[at...])
    }
}
