// Generated from collective.proto, tensorboard.proto by scripts/generate-messages.mjs; edit those.
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
    },
    "tensorboard": {
      "nested": {
        "Event": {
          "oneofs": {
            "what": {
              "oneof": [
                "fileVersion",
                "summary"
              ]
            }
          },
          "fields": {
            "wallTime": {
              "type": "double",
              "id": 1,
              "protoName": "wall_time"
            },
            "step": {
              "type": "int64",
              "id": 2
            },
            "fileVersion": {
              "type": "string",
              "id": 3,
              "protoName": "file_version"
            },
            "summary": {
              "type": "Summary",
              "id": 5
            }
          }
        },
        "Summary": {
          "fields": {
            "value": {
              "rule": "repeated",
              "type": "Value",
              "id": 1
            }
          },
          "nested": {
            "Value": {
              "oneofs": {
                "value": {
                  "oneof": [
                    "simpleValue"
                  ]
                }
              },
              "fields": {
                "tag": {
                  "type": "string",
                  "id": 1
                },
                "simpleValue": {
                  "type": "float",
                  "id": 2,
                  "protoName": "simple_value"
                }
              }
            }
          }
        }
      }
    }
  }
};
