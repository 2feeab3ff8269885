#if Kafka
    internal import CRdKafka

    /// Questions about any group of the cluster.
    ///
    /// By `rd_kafka_list_groups`, which librdkafka calls outdated: its newer questions to a group's
    /// coordinator end the process by an assertion when the connection breaks or the broker does not
    /// understand them (librdkafka issue 4605).
    extension KafkaClient {
        typealias Place = MemberAssignment.Place

        /// What a coordinator tells of a group.
        struct Coordinated {
            var name: String
            var state: String
            var assignor: String
            var members: [KafkaGroupDescription.Member] = []
            var owners: [Place: String] = [:]
        }

        /// All groups that the brokers know of, or the one of a name.
        func groups(
            named name: String? = nil, _ patience: Patience
        ) throws(KafkaError) -> [Coordinated] {
            try asking(patience) { (milliseconds) throws(KafkaError) in
                var list: UnsafePointer<rd_kafka_group_list>?
                let code = unsafe rd_kafka_list_groups(self.pointer, name, &list, milliseconds)
                guard let list = unsafe list else {
                    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return [] }
                    throw self.error(code)
                }
                defer { unsafe rd_kafka_group_list_destroy(list) }
                // Not all brokers have answered.
                if code == RD_KAFKA_RESP_ERR__PARTIAL { return nil }
                var groups: [Coordinated] = []
                for index in 0..<Int(unsafe list.pointee.group_cnt) {
                    groups.append(try unsafe self.read(list.pointee.groups[index]))
                }
                return groups
            }
        }

        @unsafe
        private func read(_ group: rd_kafka_group_info) throws(KafkaError) -> Coordinated {
            let problem = unsafe group.err
            guard problem == RD_KAFKA_RESP_ERR_NO_ERROR else { throw error(problem) }
            var found = Coordinated(
                name: unsafe Self.text(group.group), state: unsafe Self.text(group.state),
                assignor: unsafe Self.text(group.protocol))
            let isOfConsumers = unsafe Self.text(group.protocol_type) == "consumer"
            for index in 0..<Int(unsafe group.member_cnt) {
                let member = unsafe group.members[index]
                let id = unsafe Self.text(member.member_id)
                found.members.append(
                    KafkaGroupDescription.Member(
                        id: id, client: unsafe Self.text(member.client_id),
                        host: unsafe Self.text(member.client_host)))
                guard isOfConsumers else { continue }
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: member.member_assignment, count: Int(member.member_assignment_size))
                for place in MemberAssignment(unsafe [UInt8](bytes)).places {
                    found.owners[place] = id
                }
            }
            return found
        }

        @unsafe
        private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
            unsafe pointer.map { unsafe String(cString: $0) } ?? ""
        }

        /// Every topic of the cluster with the number of its partitions.
        func topics(_ patience: Patience) throws(KafkaError) -> [String: Int] {
            try unsafe metadata(nil, patience) { (metadata) throws(KafkaError) in
                var found: [String: Int] = [:]
                for index in 0..<Int(unsafe metadata.pointee.topic_cnt) {
                    let topic = unsafe metadata.pointee.topics[index]
                    found[unsafe String(cString: topic.topic)] = Int(unsafe topic.partition_cnt)
                }
                return found
            }
        }

        /// What the group of this client has committed of these topics.
        func committed(
            _ topics: [String: Int], _ patience: Patience
        ) throws(KafkaError) -> [Place: Int64] {
            let places = topics.flatMap { topic, partitions in
                (0..<partitions).map { Place(topic: topic, partition: $0) }
            }
            let offsets = try committed(places.map { ($0.topic, $0.partition) }, patience)
            var found: [Place: Int64] = [:]
            for (place, offset) in zip(places, offsets) { found[place] = offset }
            return found
        }
    }
#endif
