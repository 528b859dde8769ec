/** The chart's two policies that stamp and check a Task's submitter (N5), as objects. */
import type { ResourceKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';

const group = 'admissionregistration.k8s.io';
const kind = (plural: string, name: string): ResourceKind => ({ group, version: 'v1', plural, kind: name, namespaced: false });
const stamp = 'scp.symphony.foundation/submitted-by';
const resourceRules = (operations: string[]) => [
  { apiGroups: ['scp.symphony.foundation'], apiVersions: ['v1alpha1'], operations, resources: ['tasks'] },
];
const object = (kindName: string, name: string, spec: object): KubeObject & { spec: object } => ({
  apiVersion: `${group}/v1`,
  kind: kindName,
  metadata: { name },
  spec,
});

export const stampPolicies: readonly { readonly object: KubeObject; readonly kind: ResourceKind }[] = [
  {
    kind: kind('mutatingadmissionpolicies', 'MutatingAdmissionPolicy'),
    object: object('MutatingAdmissionPolicy', 'scs-stamp-submitter', {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: { resourceRules: resourceRules(['CREATE']) },
      matchConditions: [
        { name: 'not-stamped', expression: `!has(object.metadata.annotations) || !('${stamp}' in object.metadata.annotations)` },
      ],
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: `Object{metadata: Object.metadata{annotations: {"${stamp}": request.userInfo.username}}}` },
        },
      ],
    }),
  },
  {
    kind: kind('mutatingadmissionpolicybindings', 'MutatingAdmissionPolicyBinding'),
    object: object('MutatingAdmissionPolicyBinding', 'scs-stamp-submitter', { policyName: 'scs-stamp-submitter' }),
  },
  {
    kind: kind('validatingadmissionpolicies', 'ValidatingAdmissionPolicy'),
    object: object('ValidatingAdmissionPolicy', 'scs-check-stamp', {
      failurePolicy: 'Fail',
      matchConstraints: { resourceRules: resourceRules(['CREATE', 'UPDATE']) },
      validations: [
        {
          expression: `request.operation != 'CREATE' || (has(object.metadata.annotations) && '${stamp}' in object.metadata.annotations && object.metadata.annotations['${stamp}'] == request.userInfo.username)`,
          message: `annotation ${stamp} is set by the API server. Leave it out.`,
          reason: 'Forbidden',
        },
      ],
    }),
  },
  {
    kind: kind('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding'),
    object: object('ValidatingAdmissionPolicyBinding', 'scs-check-stamp', { policyName: 'scs-check-stamp', validationActions: ['Deny'] }),
  },
];
