// Generated from collective.proto by scripts/generate-messages.mjs; edit those.
export const descriptor = {
  "nested": {
    "gmc": {
      "nested": {
        "ValueHeader": {
          "fields": {
            "version": {
              "type": "uint32",
              "id": 1
            },
            "generation": {
              "type": "string",
              "id": 2
            },
            "tag": {
              "type": "string",
              "id": 3
            },
            "kind": {
              "type": "Kind",
              "id": 4
            },
            "start": {
              "type": "uint32",
              "id": 5
            },
            "end": {
              "type": "uint32",
              "id": 6
            },
            "chunk": {
              "type": "uint32",
              "id": 7
            },
            "chunks": {
              "type": "uint32",
              "id": 8
            },
            "total": {
              "type": "uint32",
              "id": 9
            },
            "first": {
              "type": "uint32",
              "id": 10
            },
            "count": {
              "type": "uint32",
              "id": 11
            },
            "wire": {
              "type": "Wire",
              "id": 12
            }
          }
        },
        "Kind": {
          "values": {
            "SHARD": 0,
            "SUBTREE": 1,
            "SUM": 2
          }
        },
        "Wire": {
          "values": {
            "FP32": 0,
            "BF16": 1
          }
        }
      }
    }
  }
};
